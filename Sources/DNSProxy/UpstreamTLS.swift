internal import NIOCore
internal import NIOPosix

/// A connection to a server that is asked over TLS (RFC 7858): opened with the first question, shared by all that are
/// out at the same time, and kept for a while, since a handshake costs more than a question. Lives on one event loop.
final class UpstreamTLS {
    /// It cannot be asked now.
    struct Unavailable: Error {}

    private struct Question {
        /// The number that its asker has given it.
        var id: UInt16
        var message: ByteBuffer
        var link: UpstreamLink
    }

    private static let idleTime = TimeAmount.seconds(15)
    private static let connectTime = TimeAmount.seconds(2)
    private static let handshakeTime = TimeAmount.seconds(2)

    private let eventLoop: any EventLoop
    private let server: DNSUpstream
    private let address: SocketAddress
    private let secure: DNSForwarder.SecureChannel?
    private var connection = SharedConnection()
    /// Absent while it is closed or being opened.
    private var channel: (any Channel)?
    /// Which connection this is; what an earlier one still reports is of no interest.
    private var generation = 0
    private var questions: [SharedConnection.Ticket: Question] = [:]
    private var idleTimer: Scheduled<Void>?
    private var handshakeTimer: Scheduled<Void>?

    init(
        _ eventLoop: any EventLoop,
        _ server: DNSUpstream,
        _ address: SocketAddress,
        _ secure: DNSForwarder.SecureChannel?
    ) {
        self.eventLoop = eventLoop
        self.server = server
        self.address = address
        self.secure = secure
    }

    /// Sends a question, at once or when the connection is there.
    ///
    /// - Returns: what to call it when cancelling; `nil` if there is no TLS here, or too much to do.
    func ask(_ message: ByteBuffer, _ link: UpstreamLink) -> SharedConnection.Ticket? {
        guard self.secure != nil, let id: UInt16 = message.getInteger(at: message.readerIndex) else { return nil }
        let asked = self.connection.asked(id, now: self.now)
        switch asked {
        case .refuse: return nil
        case .open(let ticket), .wait(let ticket), .send(let ticket):
            self.idleTimer?.cancel()
            var message = message
            message.setInteger(ticket.number, at: message.readerIndex)
            self.questions[ticket] = Question(id: id, message: message, link: link)
            switch asked {
            case .open: self.open()
            // Written before the handshake is over it waits in the channel.
            case .wait, .send: self.channel?.writeAndFlush(DNSFrames.framed(message), promise: nil)
            case .refuse: ()
            }
            return ticket
        }
    }

    /// Nobody waits for the answer any more.
    func cancel(_ ticket: SharedConnection.Ticket) {
        self.questions[ticket] = nil
        self.obey(self.connection.cancelled(ticket))
    }

    /// The answer did not come in time.
    func giveUp(_ ticket: SharedConnection.Ticket) {
        self.questions[ticket] = nil
        self.obey(self.connection.timedOut(ticket))
    }

    func close() {
        self.channel?.close(promise: nil)
        self.ended()
    }

    private var now: Duration { .nanoseconds(Int64(clamping: self.eventLoop.now.uptimeNanoseconds)) }

    private func obey(_ what: SharedConnection.OnCancel) {
        switch what {
        case .keep: ()
        case .idle: self.armIdleTimer()
        case .close: self.close()
        }
    }

    private func open() {
        guard let secure = self.secure, let name = self.server.tlsName else { return }
        self.generation += 1
        let generation = self.generation
        let handler = NIOLoopBound(
            UpstreamStreamReader(
                UpstreamLink(
                    received: { self.received($0, generation) },
                    failed: { self.lost(generation) }
                )
            ),
            eventLoop: self.eventLoop
        )
        ClientBootstrap(group: self.eventLoop)
            .connectTimeout(Self.connectTime)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try secure(channel, name)
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(to: self.address)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.opened(channel, generation)
                case .failure: self.lost(generation)
                }
            }
    }

    private func opened(_ channel: any Channel, _ generation: Int) {
        guard generation == self.generation else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        let messages = self.connection.waiting.compactMap { self.questions[$0]?.message }
        // Everybody has given up meanwhile.
        guard let last = messages.last else { return self.close() }
        // What is written leaves when the handshake is over, and only then: that is how its end is known here.
        let isThere = self.eventLoop.makePromise(of: Void.self)
        isThere.futureResult.assumeIsolated().whenSuccess { self.established(generation) }
        self.handshakeTimer = self.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeTime) {
            if generation == self.generation { self.close() }
        }
        for message in messages.dropLast() { channel.write(DNSFrames.framed(message), promise: nil) }
        channel.writeAndFlush(DNSFrames.framed(last), promise: isThere)
    }

    private func established(_ generation: Int) {
        guard generation == self.generation else { return }
        self.handshakeTimer?.cancel()
        self.connection.established(now: self.now)
        if self.connection.isIdle { self.armIdleTimer() }
    }

    private func received(_ bytes: [UInt8], _ generation: Int) {
        guard generation == self.generation, bytes.count >= 2 else { return }
        let number = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        // An answer to nothing, or too late.
        guard let ticket = self.connection.received(number, now: self.now), let question = self.questions[ticket]
        else { return }
        var bytes = bytes
        (bytes[0], bytes[1]) = (UInt8(question.id >> 8), UInt8(question.id & 0xff))
        question.link.received(bytes)
    }

    private func lost(_ generation: Int) {
        guard generation == self.generation else { return }
        self.ended()
    }

    /// Forgets the connection and all that is out on it.
    private func ended() {
        self.idleTimer?.cancel()
        self.handshakeTimer?.cancel()
        self.generation += 1
        self.channel = nil
        let links = self.connection.closed().compactMap { self.questions.removeValue(forKey: $0)?.link }
        for link in links { link.failed() }
    }

    private func armIdleTimer() {
        guard self.channel != nil else { return }
        self.idleTimer?.cancel()
        let generation = self.generation
        self.idleTimer = self.eventLoop.assumeIsolated().scheduleTask(in: Self.idleTime) {
            if generation == self.generation { self.close() }
        }
    }
}

/// Cuts what comes on a connection into messages and notices its end.
private final class UpstreamStreamReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: UpstreamLink
    private var frames = DNSFrames(bytesMax: 65_535)

    init(_ link: UpstreamLink) { self.link = link }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.frames.append(self.unwrapInboundIn(data))
        while let frame = self.frames.next() { self.link.received(Array(frame.readableBytesView)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
        self.link.failed()
    }

    func channelInactive(context: ChannelHandlerContext) { self.link.failed() }
}
