internal import Logging
internal import NIOCore
internal import TrafficEngine

/// An HTTP/1.1 connection to an endpoint: one exchange at a time, kept for the next one when it ends well.
final class UpstreamConnection: ChannelDuplexHandler, TimerTarget, UpstreamCarrier {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Up to so many body bytes are copied behind the head to be one write; a longer run is passed on as it is.
    static let copyBytesMax = 4096

    private enum Phase { case idle, head, body, tunnel, closed }

    let pool: EndpointPool
    private let worker: Worker
    private var phase = Phase.idle
    /// The pool counts it as active.
    private var isOpen = false
    private var context: ChannelHandlerContext?
    /// Whose request is on it.
    private var server: ServerExchange?
    private var scanner = ResponseScanner()
    private var body = BodyReader(.none)
    /// A head that has not come whole.
    private var input = ByteBuffer()
    private var exchanges = 0
    private var hasResponseBytes = false
    private var keepsAlive = true
    private var wantsRead = false
    private var failure: EndReason?
    private var timer: TimerWheel.ID = -1
    private var idleDeadline = Tick.never

    /// The only host that requests on it may be for; `nil`: any.
    let host: String?

    init(pool: EndpointPool, host: String? = nil) {
        self.pool = pool
        self.host = host
        self.worker = pool.cluster.worker
    }

    var isUsable: Bool { self.phase == .idle && self.context?.channel.isActive ?? false }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Whether an exchange came before the one that is on it now.
    var isReused: Bool { self.exchanges > 1 }

    var localAddress: NetworkAddress? { self.context?.localAddress.flatMap(NetworkAddress.init) }

    // MARK: What the client's side asks for

    /// It is connected.
    func opened() { self.isOpen = true }

    /// Puts an exchange on the connection and writes what there is of its request.
    func begin(_ server: ServerExchange) {
        self.server = server
        self.exchanges += 1
        self.hasResponseBytes = false
        self.keepsAlive = true
        self.idleDeadline = Tick.never
        self.phase = .head
        self.write(server.exchange.head)
        let isComplete = server.requestIsComplete
        if server.exchange.heldBody.readableBytes > 0 || (isComplete && server.exchange.bodyForm == .parts) {
            self.write(server.exchange.heldBody, isLast: isComplete)
        }
    }

    /// A part of the request's body.
    func write(_ buffer: ByteBuffer, isLast: Bool) {
        guard let server = self.server, server.exchange.bodyForm == .parts, self.phase != .tunnel else {
            if buffer.readableBytes > 0 { self.write(buffer) }
            return
        }
        // HTTP/2 brought it, without framing.
        self.worker.writeChunk(buffer, trailers: isLast ? server.exchange.trailers : nil) { self.write($0) }
    }

    private func write(_ buffer: ByteBuffer) {
        self.pool.cluster.counts.bytesSent += buffer.readableBytes
        self.context?.write(self.wrapOutboundOut(buffer), promise: nil)
    }

    func flush() { self.context?.flush() }

    /// The exchange is given up; the connection with it.
    func abandon() {
        self.server = nil
        self.close()
    }

    func close() {
        self.phase = .closed
        self.context?.close(promise: nil)
    }

    /// In a tunnel the client has ended its side.
    func endOutput() { self.context.map { $0.channel.closeAfterFlush(mode: .output) } }

    /// The client's side can take bytes again.
    func resumeReading() {
        guard self.wantsRead, let context = self.context else { return }
        self.wantsRead = false
        context.read()
    }

    /// It waits in the pool.
    func becameIdle() {
        guard let timeout = self.pool.cluster.cluster.idleTimeout else { return }
        self.idleDeadline = Tick.after(timeout, now: self.worker.wheel.now)
        if self.timer < 0 { self.timer = self.worker.wheel.add(self) }
        self.worker.wheel.arm(self.timer, by: self.idleDeadline)
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.idleDeadline, self.phase == .idle else {
            return self.idleDeadline == Tick.never ? nil : self.idleDeadline
        }
        self.pool.cluster.counts.connectionsIdledOut += 1
        self.close()
        return nil
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func read(context: ChannelHandlerContext) {
        if let server = self.server, !server.isWritable {
            self.wantsRead = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.pool.cluster.counts.bytesReceived += bytes.readableBytes
        guard let server = self.server else {
            // Bytes that nobody asked for: whatever they are, they must not become somebody's response.
            self.close()
            return
        }
        self.hasResponseBytes = true
        switch self.phase {
        case .tunnel: server.tunnelReceived(bytes)
        case .body: self.takeBody(&bytes, server)
        case .head:
            if self.input.readableBytes > 0 {
                self.input.receive(&bytes)
                bytes = self.input
                self.input = ByteBuffer()
            }
            self.takeHeads(&bytes, server)
        case .idle, .closed: self.close()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.server?.flush()
        self.worker.flushWaiting()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.server?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        if self.phase == .tunnel {
            self.server?.tunnelEnded()
        } else {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failure = .upstreamReset
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let phase = self.phase
        self.phase = .closed
        self.context = nil
        if self.timer >= 0 {
            self.worker.wheel.remove(self.timer)
            self.timer = -1
        }
        if self.isOpen { self.pool.closed(self) }
        guard let server = self.server else { return }
        self.server = nil
        if phase == .body, self.failure == nil, case .untilClose = self.body.framing {
            server.responseEnded()
        } else if phase == .tunnel {
            server.upstreamTunnelClosed(isReset: self.failure != nil)
        } else {
            self.fail(self.failure ?? .upstreamClosed, server)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Responses

    private func takeHeads(_ bytes: inout ByteBuffer, _ server: ServerExchange) {
        while self.phase == .head {
            let progress = bytes.withUnsafeReadableBytes { self.scanner.scan($0) }
            switch progress {
            case .needsMore:
                self.input = bytes
                return
            case .failed(let fault):
                self.protocolError(fault, server)
                return
            case .complete:
                let status = self.scanner.status
                if (100..<200).contains(status), status != 101 {
                    // Interim answers are passed on; the final one follows (RFC 9110 15.2).
                    bytes.withUnsafeReadableBytes { server.interimReceived(self.scanner, $0) }
                    bytes.moveReaderIndex(forwardBy: self.scanner.headCount)
                    self.scanner.reset()
                    if bytes.readableBytes == 0 { return }
                } else {
                    self.takeFinalHead(&bytes, server)
                    return
                }
            }
        }
    }

    private func takeFinalHead(_ bytes: inout ByteBuffer, _ server: ServerExchange) {
        if self.scanner.status == 101 {
            guard server.awaitsUpgrade, self.scanner.fields.upgradeIndex >= 0 else {
                self.protocolError(.badStatus, server)
                return
            }
            self.phase = .tunnel
            bytes.withUnsafeReadableBytes { server.upgraded(self.scanner, $0) }
            bytes.moveReaderIndex(forwardBy: self.scanner.headCount)
            if bytes.readableBytes > 0 { server.tunnelReceived(bytes) }
            return
        }
        let framing = self.scanner.framing(answersHead: server.requestIsHead)
        self.keepsAlive = self.keepsAliveAfter(framing)
        var out = self.worker.takeScratch()
        let next = bytes.withUnsafeReadableBytes {
            server.responseHeadReceived(self.scanner, $0, framing, isHTTP2: false, into: &out)
        }
        switch next {
        case .retrying:
            // The response is not wanted; reading it to its end may cost more than a new connection.
            // With half a request on it, the next one would be read as the rest of that.
            if framing == .none, self.keepsAlive, server.requestIsComplete,
                bytes.readableBytes == self.scanner.headCount
            {
                self.server = nil
                self.becomeReady()
            } else {
                self.abandon()
            }
            self.worker.returnScratch(out)
            return
        case .forward: ()
        }
        bytes.moveReaderIndex(forwardBy: self.scanner.headCount)
        self.scanner.reset()
        self.phase = .body
        self.body = BodyReader(framing, keepsTrailers: server.isHTTP2)
        self.takeBody(&bytes, server, head: &out)
        self.worker.returnScratch(out)
    }

    private func keepsAliveAfter(_ framing: BodyReader.Framing) -> Bool {
        if framing == .untilClose { return false }
        let options = self.scanner.fields.connection
        if options.contains(.close) { return false }
        if self.scanner.minorVersion == 0, !options.contains(.keepAlive) { return false }
        let limit = self.pool.cluster.limits.requestsPerConnectionMax
        if limit > 0, self.exchanges >= Int(limit) {
            self.pool.cluster.counts.connectionsUsedUp += 1
            return false
        }
        return true
    }

    /// The first run of a body, with the head before it.
    private func takeBody(_ bytes: inout ByteBuffer, _ server: ServerExchange, head: inout ByteBuffer) {
        if server.wantsPlainBody, case .chunked = self.body.framing {
            let step = bytes.withUnsafeReadableBytes { readable in
                self.body.takePayload(readable) { range in
                    _ = head.writeBytes(UnsafeRawBufferPointer(rebasing: readable[range]))
                }
            }
            self.finishStep(step, &bytes, server, out: head)
            return
        }
        let step = bytes.withUnsafeReadableBytes { self.body.take($0) }
        if step.count > 0, step.count <= Self.copyBytesMax {
            bytes.withUnsafeReadableBytes { readable in
                _ = head.writeBytes(UnsafeRawBufferPointer(rebasing: readable[..<step.count]))
            }
            self.finishStep(step, &bytes, server, out: head)
        } else {
            if head.readableBytes > 0 { server.write(head, isLast: false) }
            let slice = step.count > 0 ? bytes.getSlice(at: bytes.readerIndex, length: step.count) : nil
            self.finishStep(step, &bytes, server, out: slice)
        }
    }

    /// A later run of a body.
    private func takeBody(_ bytes: inout ByteBuffer, _ server: ServerExchange) {
        if server.wantsPlainBody, case .chunked = self.body.framing {
            var out = self.worker.takeScratch()
            let step = bytes.withUnsafeReadableBytes { readable in
                self.body.takePayload(readable) { range in
                    _ = out.writeBytes(UnsafeRawBufferPointer(rebasing: readable[range]))
                }
            }
            self.finishStep(step, &bytes, server, out: out)
            self.worker.returnScratch(out)
            return
        }
        let step = bytes.withUnsafeReadableBytes { self.body.take($0) }
        let slice =
            step.count == bytes.readableBytes ? bytes : bytes.getSlice(at: bytes.readerIndex, length: step.count)
        self.finishStep(step, &bytes, server, out: slice)
    }

    private func finishStep(
        _ step: BodyReader.Step,
        _ bytes: inout ByteBuffer,
        _ server: ServerExchange,
        out: ByteBuffer?
    ) {
        let trailers = step.hasEnded ? self.body.trailers : []
        if let out, out.readableBytes > 0 { server.write(out, isLast: step.hasEnded && trailers.isEmpty) }
        if !trailers.isEmpty { server.passTrailers(trailers) }
        server.responseProgressed()
        if let fault = step.fault {
            self.protocolError(fault, server)
            return
        }
        guard step.hasEnded else { return }
        self.server = nil
        let isClean = step.count == bytes.readableBytes
        if isClean, self.keepsAlive, server.requestIsComplete {
            self.becomeReady()
        } else {
            self.close()
        }
        server.responseEnded()
    }

    private func becomeReady() {
        self.scanner.reset()
        self.phase = .idle
        self.pool.release(self)
    }

    private func protocolError(_ fault: HeadFault, _ server: ServerExchange) {
        self.pool.cluster.counts.protocolErrors += 1
        self.server = nil
        self.close()
        self.worker.logger.debug(
            "upstream response refused",
            metadata: ["endpoint": "\(self.pool.address)", "fault": "\(fault.text)"]
        )
        server.attemptFailed(ExchangeMachine.AttemptFailure(reason: .upstreamProtocolError, outcome: nil))
    }

    private func fail(_ reason: EndReason, _ server: ServerExchange) {
        self.pool.cluster.counts.resets += 1
        server.attemptFailed(
            ExchangeMachine.AttemptFailure(
                reason: reason,
                outcome: .reset(requestStarted: true),
                wasReuseRace: self.isReused && !self.hasResponseBytes
            )
        )
    }
}
