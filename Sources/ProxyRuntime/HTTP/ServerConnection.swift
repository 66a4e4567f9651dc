internal import Logging
internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// What is known of a client's connection before its first byte is looked at.
struct ClientFacts {
    var listener: ListenerCounters
    var source: NetworkAddress?
    /// Where the client wanted to go: the original destination, or the address that it was accepted on.
    var destination: NetworkAddress
    /// The connection was redirected here; if not, `destination` is the address of our own listener.
    var isRedirected = false
    var serverName: String?
}

/// A client's HTTP/1 connection: one exchange at a time, in the order of the requests.
///
/// Alone in its pipeline. It reads heads in place, routes, borrows an upstream connection of its own loop and passes
/// bytes on; what may happen to an exchange is decided by `ExchangeMachine`.
final class ServerConnection: ChannelDuplexHandler, TimerTarget {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A request's body is kept for another attempt, and read ahead of an upstream, up to this size.
    static let bodyBytesMax = 64 * 1024

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

    let worker: Worker
    let manager: HTTPConnectionManager
    let counters: HTTPCounters
    let facts: ClientFacts
    let logs: [AccessLog]
    var context: ChannelHandlerContext?
    var phase = Phase.head
    var scanner: RequestScanner
    var requestBody = BodyReader(.none)
    /// Received and not yet taken.
    var input = ByteBuffer()
    var machine = ExchangeMachine()
    var exchange = Exchange()
    var upstream: UpstreamConnection?
    /// Where the exchange waits for a connection or an address.
    var waitingPool: EndpointPool?
    var waitingCluster: ClusterRuntime?
    /// The route table of the state with this number, so that a name is looked up once per state.
    var routes: RouteTable?
    var routesRevision = -1
    var captured = CapturedValues()
    var capturedResponse = CapturedValues()
    /// The host that the request is for, as received.
    var authority: [UInt8] = []
    /// Made for requests that bring none.
    var requestID: [UInt8] = []
    private var isProcessing = false
    private var wantsRead = false
    private var inputHasEnded = false
    /// The channel is gone; a write that fails may end it in the middle of anything.
    private(set) var isEnded = false
    private var timer: TimerWheel.ID = -1
    var deadlines = Deadlines()

    /// Ticks at which something must have happened.
    struct Deadlines {
        var head = Tick.never
        var idle = Tick.never
        var route = Tick.never
        var attempt = Tick.never
        var close = Tick.never

        var next: Int { min(self.head, self.idle, self.route, self.attempt, self.close) }
    }

    /// The connection's name in an address line, made when first needed.
    private(set) lazy var sourceText: [UInt8] = Array((self.facts.source?.ip.description ?? "").utf8)

    init(worker: Worker, manager: HTTPConnectionManager, facts: ClientFacts) {
        self.worker = worker
        self.manager = manager
        self.facts = facts
        self.counters = worker.httpCounters(manager.statPrefix)
        self.logs = worker.accessLogs(manager.accessLogs)
        self.scanner = RequestScanner(headBytesMax: manager.headBytesMax)
    }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.counters.counts.connections += 1
        self.counters.counts.connectionsActive += 1
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
            self.upstream?.write(bytes)
        case .closing, .closed: ()
        case .head, .body, .waiting:
            if self.input.readableBytes == 0 { self.input = bytes } else { self.input.writeBuffer(&bytes) }
            self.process()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.upstream?.flush()
        context.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.upstream?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainStarted, self.phase == .head, self.input.readableBytes == 0 { self.close() }
        guard case ChannelEvent.inputClosed = event else { return }
        self.inputHasEnded = true
        switch self.phase {
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
        guard !self.isEnded else { return }
        self.isEnded = true
        let wasTunnel = self.phase == .tunnel
        self.phase = .closed
        self.counters.counts.connectionsActive -= 1
        self.worker.wheel.remove(self.timer)
        self.timer = -1
        if self.exchange.isActive {
            if self.exchange.reason == .completed, !wasTunnel { self.exchange.reason = .downstreamClosed }
            self.detach()
            self.finishExchange()
        }
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
                self.exchange.heldBody.readableBytes < Self.bodyBytesMax
            }
        case .tunnel: self.upstream?.isWritable ?? true
        case .closing, .closed: true
        }
    }

    func resumeReading() {
        guard self.wantsRead, self.mayRead, let context = self.context else { return }
        self.wantsRead = false
        context.read()
    }

    /// Takes as much of `input` as can be taken now.
    func process() {
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

    private func takeHead() -> Bool {
        let input = self.input
        // RFC 9112 2.2: one empty line before a request is forgiven, once.
        if self.exchange.skipsEmptyLine, input.getInteger(at: input.readerIndex, as: UInt8.self) == Bytes.carriageReturn
        {
            guard input.readableBytes > 1 else {
                self.awaitHead()
                return false
            }
            self.exchange.skipsEmptyLine = false
            if input.getInteger(at: input.readerIndex + 1, as: UInt8.self) == Bytes.lineFeed {
                self.input.moveReaderIndex(forwardBy: 2)
                return true
            }
        }
        let progress = input.withUnsafeReadableBytes { self.scanner.scan($0) }
        switch progress {
        case .needsMore:
            self.awaitHead()
            return false
        case .failed(let fault):
            self.refuse(fault)
            return false
        case .complete:
            self.input.moveReaderIndex(forwardBy: self.scanner.headCount)
            self.deadlines.head = Tick.never
            self.begin(input)
            return true
        }
    }

    private func takeBody() -> Bool {
        let step = self.input.withUnsafeReadableBytes { self.requestBody.take($0) }
        if step.count > 0 {
            let isAll = step.count == self.input.readableBytes
            let slice = isAll ? self.input : self.input.getSlice(at: self.input.readerIndex, length: step.count)
            self.input.moveReaderIndex(forwardBy: step.count)
            if isAll { self.input = ByteBuffer() }
            if let slice { self.bodyReceived(slice) }
        }
        if let fault = step.fault {
            self.refuse(fault)
            return false
        }
        if step.hasEnded { self.requestEnded() }
        return true
    }

    // MARK: Deadlines

    /// A head has begun and is not complete.
    private func awaitHead() {
        guard self.deadlines.head == Tick.never, let timeout = self.manager.requestHeadTimeout else { return }
        self.deadlines.head = Tick.after(timeout, now: self.worker.wheel.now)
        self.armTimer()
    }

    /// No exchange is under way.
    func becomeIdle() {
        self.deadlines = Deadlines()
        if let timeout = self.manager.idleTimeout {
            self.deadlines.idle = Tick.after(timeout, now: self.worker.wheel.now)
            self.armTimer()
        }
    }

    /// A byte of the exchange has moved.
    func touch() {
        if let timeout = self.manager.streamIdleTimeout {
            self.deadlines.idle = Tick.after(timeout, now: self.worker.wheel.now)
        }
    }

    func armTimer() {
        let next = self.deadlines.next
        if next != Tick.never, self.timer >= 0 { self.worker.wheel.arm(self.timer, by: next) }
    }

    func timerFired(tick: Int) -> Int? {
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
        return next == Tick.never || self.isEnded ? nil : next
    }

    // MARK: Writing and closing

    func write(_ buffer: ByteBuffer) {
        let count = buffer.readableBytes
        self.counters.counts.bytesSent += count
        self.exchange.bytesWritten += count
        self.context?.write(self.wrapOutboundOut(buffer), promise: nil)
    }

    func flush() { self.context?.flush() }

    /// Closes now, dropping what is not sent.
    func close() { self.context?.close(promise: nil) }

    /// Sends what is written, ends our side, and waits a moment for the client to end its own: closing with unread
    /// bytes would reset the connection, and the client could lose the answer.
    func closeGracefully() {
        guard !self.isEnded, let context = self.context else { return }
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
    func nextRequest() {
        guard !self.isEnded else { return }
        self.phase = .head
        self.scanner.reset()
        self.becomeIdle()
        if self.inputHasEnded, self.input.readableBytes == 0 {
            self.context?.channel.closeAfterFlush(mode: .all)
            return
        }
        self.process()
        self.resumeReading()
    }
}
