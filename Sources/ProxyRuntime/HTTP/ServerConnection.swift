internal import Logging
internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// A client's HTTP/1 connection: one exchange at a time, in the order of the requests.
///
/// Last in its pipeline, where bytes are plain. It reads heads in place and passes bodies on as they come.
final class ServerConnection: ServerExchange, ChannelDuplexHandler, Flushing {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests, or inside a head.
        case head
        /// Inside a request's body.
        case body
        /// The request is complete, the response is not.
        case waiting
        case tunnel
        /// The last answer is out; what still comes is thrown away until the client closes.
        case closing
        case closed
    }

    private var context: ChannelHandlerContext?
    var phase = Phase.head
    var requestBody = BodyReader(.none)
    /// Received and not yet taken.
    var input = ByteBuffer()
    private var isProcessing = false
    private var wantsRead = false
    private var inputHasEnded = false
    /// The channel is gone; a write that fails may end it in the middle of anything.
    private var hasEnded = false
    /// The answer's body comes without framing, and has to get chunks.
    private var writesChunks = false
    private var awaitsFlush = false

    override var isEnded: Bool { self.hasEnded }
    override var isWritable: Bool { self.context?.channel.isWritable ?? false }
    override var wantsPlainBody: Bool { self.exchange.minorVersion == 0 }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.counters.counts.connections += 1
        self.counters.counts.connectionsActive += 1
        self.counters.counts.connectionsHTTP1 += 1
        self.timer = self.worker.wheel.add(self)
        self.becomeIdle()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // A channel that never came to life tells nothing else.
        self.ended()
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if self.mayRead { context.read() } else { self.wantsRead = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.counters.counts.bytesReceived += bytes.readableBytes
        switch self.phase {
        case .tunnel:
            self.exchange.bytesReceived += bytes.readableBytes
            self.touch()
            self.upstream?.write(bytes, isLast: false)
        case .closing, .closed: ()
        case .head, .body, .waiting:
            self.input.receive(&bytes)
            self.process()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.upstream?.flush()
        context.flush()
        self.worker.flushWaiting()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.upstream?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainStarted, self.phase == .head, self.input.readableBytes == 0 { self.close() }
        guard case ChannelEvent.inputClosed = event else { return }
        self.inputHasEnded = true
        switch self.phase {
        // Who waits for a pod that may never come shall not keep others from their place.
        case .waiting where self.exchange.visit?.ticket != nil: context.close(promise: nil)
        case .waiting: ()  // The client may have closed its side only; it gets its answer.
        case .tunnel: self.upstream?.endOutput()
        case .head, .body, .closing, .closed: context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.exchange.isActive { self.exchange.reason = .downstreamReset }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { self.ended() }

    /// The channel is gone.
    private func ended() {
        guard !self.hasEnded else { return }
        self.hasEnded = true
        self.phase = .closed
        self.counters.counts.connectionsActive -= 1
        self.worker.wheel.remove(self.timer)
        self.timer = -1
        self.clientGone(.downstreamClosed)
        self.context = nil
        self.input = ByteBuffer()
    }

    // MARK: Reading

    /// Reads stop when what is read could not go anywhere.
    private var mayRead: Bool {
        switch self.phase {
        case .head, .waiting: self.input.readableBytes < max(Self.bodyBytesMax, self.manager.headBytesMax)
        case .body:
            if let upstream = self.upstream {
                upstream.isWritable
            } else {
                self.exchange.heldBody.readableBytes < Self.bodyBytesMax || self.policiesWantBody
            }
        case .tunnel: self.upstream?.isWritable ?? true
        case .closing, .closed: true
        }
    }

    override func resumeReading() {
        guard self.wantsRead, self.mayRead, let context = self.context else { return }
        self.wantsRead = false
        context.read()
    }

    /// Takes as much of `input` as can be taken now.
    private func process() {
        // An answer that comes at once ends up here again; the loop below goes on with it.
        if self.isProcessing { return }
        self.isProcessing = true
        defer { self.isProcessing = false }
        while self.input.readableBytes > 0 {
            switch self.phase {
            case .head: if !self.takeHead() { return }
            case .body: if !self.takeBody() { return }
            case .waiting, .tunnel: return
            case .closing, .closed:
                self.input = ByteBuffer()
                return
            }
        }
        // Nothing is left in it: do not hold on to the received buffer.
        if self.input.capacity > 0 { self.input = ByteBuffer() }
    }

    /// What has come of the body in the same read travels in the same write.
    override func takeBodyBehindHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard self.phase == .body, bytes.count > self.scanner.headCount else { return true }
        let step = self.requestBody.take(UnsafeRawBufferPointer(rebasing: bytes[self.scanner.headCount...]))
        if let fault = step.fault {
            self.refuse(fault)
            return false
        }
        let start = self.scanner.headCount
        self.exchange.head.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + step.count)]))
        self.exchange.bytesReceived += step.count
        self.input.moveReaderIndex(forwardBy: step.count)
        if step.hasEnded {
            self.machine.requestEnded()
            self.phase = .waiting
        }
        return true
    }

    // MARK: Deadlines

    /// No exchange is under way.
    private func becomeIdle() {
        self.deadlines = Deadlines()
        if let timeout = self.manager.idleTimeout {
            self.deadlines.idle = Tick.after(timeout, now: self.worker.wheel.now)
            self.armTimer()
        }
    }

    override func timerFired(tick: Int) -> Int? {
        if tick >= self.deadlines.close {
            self.deadlines.close = Tick.never
            self.context?.close(promise: nil)
            return nil
        }
        if self.exchange.isActive {
            self.exchangeTimerFired(tick)
        } else if tick >= self.deadlines.head {
            self.counters.counts.requestTimeouts += 1
            self.deadlines.head = Tick.never
            self.refuse(status: 408, .headTimedOut, "the request's head did not come in time\n")
        } else if tick >= self.deadlines.idle {
            self.deadlines.idle = Tick.never
            if self.phase == .head {
                self.counters.counts.idleTimeouts += 1
                self.close()
            }
        }
        let next = self.deadlines.next
        return next == Tick.never || self.hasEnded ? nil : next
    }

    // MARK: Writing

    override func putResponseHead(
        _ framing: BodyReader.Framing,
        room: Int,
        into out: inout ByteBuffer,
        _ body: (inout ByteWriter) -> Void
    ) {
        out.write(bytesMax: room + 32) { writer in
            body(&writer)
            // It came over HTTP/2, where nobody has to say how long it is.
            if self.exchange.upstreamIsHTTP2, framing == .chunked, !self.wantsPlainBody {
                writer.put("transfer-encoding: chunked\r\n")
                self.writesChunks = true
            }
            writer.endLine()
        }
        self.exchange.headBytesWritten = self.exchange.bytesWritten + out.readableBytes
    }

    override func writeInterim(_ head: ByteBuffer) {
        guard self.exchange.minorVersion > 0 else { return }
        self.context?.writeAndFlush(self.wrapOutboundOut(head), promise: nil)
    }

    override func write(_ buffer: ByteBuffer, isLast: Bool) {
        guard self.writesChunks else {
            self.write(buffer)
            return
        }
        // The head stands in front of the first part, and is no part of a chunk.
        let headCount = max(0, self.exchange.headBytesWritten - self.exchange.bytesWritten)
        var buffer = buffer
        if headCount > 0, let head = buffer.readSlice(length: headCount) { self.write(head) }
        if isLast { self.writesChunks = false }
        self.worker.writeChunk(buffer, trailers: isLast ? ByteBuffer() : nil) { self.write($0) }
    }

    override func writeTrailers(_ lines: ByteBuffer) {
        guard self.writesChunks else { return }
        self.writesChunks = false
        self.worker.writeChunk(ByteBuffer(), trailers: lines) { self.write($0) }
    }

    private func write(_ buffer: ByteBuffer) {
        let count = buffer.readableBytes
        self.counters.counts.bytesSent += count
        self.exchange.bytesWritten += count
        self.context?.write(self.wrapOutboundOut(buffer), promise: nil)
    }

    override func flush() { self.context?.flush() }

    override func flushLater() {
        guard !self.awaitsFlush else { return }
        self.awaitsFlush = true
        self.worker.flushLater(self)
    }

    func flushNow() {
        self.awaitsFlush = false
        self.context?.flush()
    }

    // MARK: Ends

    override func answerEnded(_ next: ExchangeMachine.OnResponseEnded) {
        switch next {
        case .nextRequest: self.nextRequest()
        case .close: self.closeGracefully()
        }
    }

    override func cutOff(_ reason: EndReason) { self.close() }

    /// Closes now, dropping what is not sent.
    private func close() { self.context?.close(promise: nil) }

    /// Sends what is written, ends our side, and waits a moment for the client to end its own: closing with unread
    /// bytes would reset the connection, and the client could lose the answer.
    private func closeGracefully() {
        guard !self.hasEnded, let context = self.context else { return }
        self.phase = .closing
        self.input = ByteBuffer()
        if self.inputHasEnded {
            context.channel.closeAfterFlush(mode: .all)
            return
        }
        // A slow client may take its time for the rest of the answer, but not for ever.
        self.deadlines = Deadlines()
        self.deadlines.close = Tick.after(self.manager.streamIdleTimeout ?? .seconds(300), now: self.worker.wheel.now)
        self.armTimer()
        context.channel.whenFlushed {
            guard self.phase == .closing, let context = self.context else { return }
            self.deadlines.close = Tick.after(.seconds(1), now: self.worker.wheel.now)
            self.armTimer()
            context.close(mode: .output, promise: nil)
        }
        self.resumeReading()
    }

    /// The exchange is over and the connection stays.
    private func nextRequest() {
        guard !self.hasEnded else { return }
        self.phase = .head
        self.scanner.reset()
        self.writesChunks = false
        self.becomeIdle()
        if self.inputHasEnded, self.input.readableBytes == 0 {
            self.context?.channel.closeAfterFlush(mode: .all)
            return
        }
        self.process()
        self.resumeReading()
    }

    override func placeAwaited() {
        // The client went while somebody else was asked about its request.
        guard self.inputHasEnded, let context = self.context else { return }
        // Not within the event that has led here.
        context.eventLoop.assumeIsolated().execute { context.close(promise: nil) }
    }

    // MARK: Tunnels

    override func tunnelStarted() {
        self.phase = .tunnel
        if self.input.readableBytes > 0 {
            self.exchange.bytesReceived += self.input.readableBytes
            self.upstream?.write(self.input, isLast: false)
            self.upstream?.flush()
            self.input = ByteBuffer()
        }
        self.resumeReading()
    }

    override func tunnelEnded() { self.context.map { $0.channel.closeAfterFlush(mode: .output) } }

    override func tunnelClosed(isReset: Bool) {
        guard !self.hasEnded else { return }
        self.phase = .closing
        if isReset { self.close() } else { self.context.map { $0.channel.closeAfterFlush(mode: .all) } }
    }
}
