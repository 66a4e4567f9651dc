internal import DNSWire
internal import NIOCore
internal import NIOPosix

/// Obeys a resolver: opens sockets, sends, keeps the time. Lives on one event loop and is touched there only.
final class ForwarderCore {
    private enum Socket {
        case own(any Channel)
        /// One of many questions on a connection that stays.
        case shared(UpstreamTLS, SharedConnection.Ticket)
    }

    let eventLoop: any EventLoop
    private let secure: DNSForwarder.SecureChannel?
    private var resolver: Resolver
    private var waiters: [Resolver.Ticket: (ForwardResult) -> Void] = [:]
    /// Of each question its tries; a try without socket is being opened.
    private var sockets: [Resolver.FlightID: [Int: Socket?]] = [:]
    private var connections: [DNSUpstream: UpstreamTLS] = [:]
    /// Our own sockets, to know our own questions should they come back to us.
    let ownSockets = OwnSockets()
    let known = KnownAnswers()
    private var timer: (due: Duration, task: Scheduled<Void>)?

    init(
        eventLoop: any EventLoop,
        upstreams: DNSUpstreams,
        options: Resolver.Options,
        secure: DNSForwarder.SecureChannel?
    ) {
        self.eventLoop = eventLoop
        self.secure = secure
        self.resolver = Resolver(
            upstreams: upstreams,
            options: options,
            hitsElsewhere: { [known] in known.takeHits($0) }
        )
    }

    var statistics: DNSStatistics {
        var statistics = self.resolver.statistics
        self.known.add(to: &statistics)
        return statistics
    }

    var servers: [DNSUpstream] { self.resolver.upstreams.servers }

    /// Asks the other servers, unless the answer is known; `done` is called once, on this loop.
    func forward(_ query: DNSQuery, _ done: @escaping (ForwardResult) -> Void) {
        self.eventLoop.preconditionInEventLoop()
        var effects: [Resolver.Effect] = []
        switch self.resolver.asked(query, now: self.now, &effects) {
        case .known(let result):
            done(result)
            // A refresh may have begun.
            if !effects.isEmpty { self.obey(effects) }
        case .wait(let ticket):
            self.waiters[ticket] = done
            self.obey(effects)
        }
    }

    func update(_ upstreams: DNSUpstreams) {
        if upstreams.servers != self.resolver.upstreams.servers { self.known.removeAll() }
        self.resolver.update(upstreams, now: self.now)
        for (server, connection) in self.connections where !upstreams.servers.contains(server) {
            self.connections[server] = nil
            connection.close()
        }
    }

    /// Fails everything that is under way, and all that comes.
    func stop() {
        var effects: [Resolver.Effect] = []
        self.resolver.stop(now: self.now, &effects)
        self.obey(effects)
        for connection in self.connections.values { connection.close() }
        self.connections = [:]
        self.timer?.task.cancel()
        self.timer = nil
    }

    private var now: Duration { .nanoseconds(Int64(clamping: self.eventLoop.now.uptimeNanoseconds)) }

    private func obey(_ effects: [Resolver.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let flight, let attempt, let message): self.send(flight, attempt, message)
            case .close(let flight, let number): self.close(flight, number)
            case .giveUp(let flight, let number): self.close(flight, number, isOverdue: true)
            case .reply(let ticket, let result): self.waiters.removeValue(forKey: ticket)?(result)
            }
        }
        self.armTimer()
    }

    private func armTimer() {
        guard let due = self.resolver.nextDeadline else { return }
        if let timer = self.timer, timer.due <= due { return }
        self.timer?.task.cancel()
        // Rounded up, so that what is due then is over.
        let task = self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(due - self.now) + .microseconds(100)) {
            self.timer = nil
            var effects: [Resolver.Effect] = []
            self.resolver.timePassed(now: self.now, &effects)
            self.obey(effects)
        }
        self.timer = (due, task)
    }

    private func answered(_ flight: Resolver.FlightID, _ number: Int, _ bytes: [UInt8]) {
        var effects: [Resolver.Effect] = []
        self.resolver.answered(flight, number, bytes, now: self.now, &effects)
        self.obey(effects)
    }

    private func failed(_ flight: Resolver.FlightID, _ number: Int) {
        var effects: [Resolver.Effect] = []
        self.resolver.attemptFailed(flight, number, now: self.now, &effects)
        self.obey(effects)
    }

    private func send(_ flight: Resolver.FlightID, _ attempt: UpstreamQuestion.Attempt, _ bytes: [UInt8]) {
        let number = attempt.number
        let link = UpstreamLink(
            received: { self.answered(flight, number, $0) },
            failed: { self.failed(flight, number) }
        )
        self.sockets[flight, default: [:]][number] = .some(nil)
        let message = ByteBuffer(bytes: bytes)
        let opened: EventLoopFuture<any Channel>
        do {
            let address = try SocketAddress.of(attempt.server)
            switch attempt.transport {
            case .udp: opened = UpstreamDatagramHandler.open(self.eventLoop, address, message, link)
            case .tcp: opened = UpstreamStreamHandler.open(self.eventLoop, address, message, link)
            case .tls:
                let connection = self.connection(attempt.server, address)
                if let ticket = connection.ask(message, link) {
                    self.sockets[flight]?[number] = .shared(connection, ticket)
                    return
                }
                throw UpstreamTLS.Unavailable()
            }
        } catch {
            opened = self.eventLoop.makeFailedFuture(error)
        }
        opened.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                // It may have been closed while it was being opened.
                guard let sockets = self.sockets[flight], sockets[number] != nil else {
                    channel.close(promise: nil)
                    return
                }
                self.sockets[flight]?[number] = .own(channel)
                if let own = channel.localAddress.flatMap({ DatagramSource($0) }) { self.ownSockets.insert(own) }
            case .failure: self.failed(flight, number)
            }
        }
    }

    private func connection(_ server: DNSUpstream, _ address: SocketAddress) -> UpstreamTLS {
        if let connection = self.connections[server] { return connection }
        let connection = UpstreamTLS(self.eventLoop, server, address, self.secure)
        self.connections[server] = connection
        return connection
    }

    private func close(_ flight: Resolver.FlightID, _ number: Int, isOverdue: Bool = false) {
        guard let socket = self.sockets[flight]?.removeValue(forKey: number) else { return }
        if self.sockets[flight]?.isEmpty == true { self.sockets[flight] = nil }
        switch socket {
        case .own(let channel):
            if let own = channel.localAddress.flatMap({ DatagramSource($0) }) { self.ownSockets.remove(own) }
            channel.close(promise: nil)
        case .shared(let connection, let ticket):
            if isOverdue { connection.giveUp(ticket) } else { connection.cancel(ticket) }
        case nil: ()
        }
    }
}
