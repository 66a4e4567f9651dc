internal import DNSWire
internal import NIOCore
internal import NIOPosix

/// How a question to other servers ended.
package enum ForwardResult {
    case answer(UpstreamAnswer)
    /// Nobody answered, or there is too much to do: SERVFAIL (facts #3).
    case failed
}

/// The questions that are out with other servers. Lives on one event loop and is touched there only.
final class ForwarderCore {
    /// Questions that differ in nothing that a server sees share one flight.
    private struct Key: Hashable {
        var question: DNSQuestion
        var flags: UInt16
        var hasEDNS: Bool
        var wantsSignatures: Bool
    }

    private final class Flight {
        var machine: UpstreamQuestion
        var waiters: [(ForwardResult) -> Void] = []
        var channels: [Int: any Channel] = [:]
        var timers: [Scheduled<Void>] = []
        var startedAt: NIODeadline
        var isOver = false

        init(machine: UpstreamQuestion, startedAt: NIODeadline) {
            self.machine = machine
            self.startedAt = startedAt
        }
    }

    /// Questions under way at once; each costs a socket or a few.
    static let flightsMax = 512
    /// Clients that wait for one question.
    static let waitersMax = 256

    let eventLoop: any EventLoop
    var upstreams: DNSUpstreams
    private(set) var statistics = DNSStatistics()
    private var flights: [Key: Flight] = [:]
    /// Ports of our own sockets, to know our own questions should they come back to us.
    private var ownPorts: Set<Int> = []
    private var rotation = 0
    private var isStopped = false

    init(eventLoop: any EventLoop, upstreams: DNSUpstreams) {
        self.eventLoop = eventLoop
        self.upstreams = upstreams
    }

    /// Asks the other servers; `done` is called once, on this loop.
    func forward(_ query: DNSQuery, _ done: @escaping (ForwardResult) -> Void) {
        self.eventLoop.preconditionInEventLoop()
        let key = Key(
            question: query.question,
            // RD, AD and CD change what a server does.
            flags: query.header.flags & 0x0130,
            hasEDNS: query.edns != nil,
            wantsSignatures: query.edns?.wantsSignatures ?? false
        )
        if let flight = self.flights[key], flight.waiters.count < Self.waitersMax {
            self.statistics.joined += 1
            flight.waiters.append(done)
            return
        }
        guard !self.isStopped, self.flights[key] == nil, self.flights.count < Self.flightsMax else {
            self.statistics.overloaded += 1
            return done(.failed)
        }
        self.rotation &+= 1
        let machine = UpstreamQuestion(
            question: query.question,
            upstreams: self.upstreams,
            first: Int(UInt32(truncatingIfNeeded: self.rotation))
        )
        let flight = Flight(machine: machine, startedAt: self.eventLoop.now)
        flight.waiters.append(done)
        self.flights[key] = flight
        flight.timers.append(
            self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.upstreams.budget)) {
                flight.machine.budgetEnded()
                self.end(key, .failed)
            }
        )
        self.obey(flight.machine.started(), key, flight)
    }

    /// Whether a question from this port of ours is one that we have sent ourselves.
    func isOwnPort(_ port: Int) -> Bool { self.ownPorts.contains(port) }

    /// Fails everything that is under way, and all that comes.
    func stop() {
        self.isStopped = true
        for key in Array(self.flights.keys) { self.end(key, .failed) }
    }

    private func obey(_ trouble: UpstreamQuestion.OnTrouble, _ key: Key, _ flight: Flight) {
        switch trouble {
        case .ask(let attempt): self.ask(attempt, key, flight)
        case .wait: ()
        case .fail: self.end(key, .failed)
        }
    }

    private func answered(_ number: Int, _ bytes: [UInt8], _ key: Key, _ flight: Flight) {
        guard !flight.isOver else { return }
        switch flight.machine.answered(number, bytes) {
        case .ignore: ()
        case .ask(let attempt):
            self.close(number, flight)
            self.ask(attempt, key, flight)
        case .wait: self.close(number, flight)
        case .finish(let answer):
            let duration = self.eventLoop.now - flight.startedAt
            self.statistics.upstreamDuration.record(nanoseconds: duration.nanoseconds)
            self.end(key, .answer(answer))
        case .fail: self.end(key, .failed)
        }
    }

    private func failed(_ number: Int, _ key: Key, _ flight: Flight) {
        guard !flight.isOver else { return }
        self.close(number, flight)
        self.obey(flight.machine.attemptFailed(number), key, flight)
    }

    private func ask(_ attempt: UpstreamQuestion.Attempt, _ key: Key, _ flight: Flight) {
        self.statistics.upstreamRequests += 1
        flight.timers.append(
            self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(attempt.timeout)) {
                guard !flight.isOver else { return }
                self.obey(flight.machine.attemptTimedOut(attempt.number), key, flight)
            }
        )
        let query = Self.message(key, id: attempt.id)
        let link = UpstreamLink(
            received: { self.answered(attempt.number, $0, key, flight) },
            failed: { self.failed(attempt.number, key, flight) }
        )
        let opened: EventLoopFuture<any Channel>
        do {
            let address = try SocketAddress.of(attempt.server)
            opened =
                switch attempt.transport {
                case .udp: UpstreamDatagramHandler.open(self.eventLoop, address, query, link)
                case .tcp: UpstreamStreamHandler.open(self.eventLoop, address, query, link)
                }
        } catch {
            opened = self.eventLoop.makeFailedFuture(error)
        }
        opened.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                guard !flight.isOver else {
                    channel.close(promise: nil)
                    return
                }
                flight.channels[attempt.number] = channel
                if let port = channel.localAddress?.port { self.ownPorts.insert(port) }
            case .failure: self.failed(attempt.number, key, flight)
            }
        }
    }

    private func close(_ number: Int, _ flight: Flight) {
        guard let channel = flight.channels.removeValue(forKey: number) else { return }
        if let port = channel.localAddress?.port { self.ownPorts.remove(port) }
        channel.close(promise: nil)
    }

    private func end(_ key: Key, _ result: ForwardResult) {
        guard let flight = self.flights.removeValue(forKey: key) else { return }
        flight.isOver = true
        for timer in flight.timers { timer.cancel() }
        for number in Array(flight.channels.keys) { self.close(number, flight) }
        if case .failed = result { self.statistics.upstreamFailures += 1 }
        let waiters = flight.waiters
        flight.waiters = []
        for waiter in waiters { waiter(result) }
    }

    /// The question as we ask it: with a number of our own, and with EDNS only if the client has it, so that an
    /// answer can be handed on as it is. Options are between neighbours and stay behind.
    private static func message(_ key: Key, id: UInt16) -> ByteBuffer {
        let message = DNSMessage(
            header: DNSHeader(id: id, flags: key.flags),
            questions: [key.question],
            edns: key.hasEDNS
                ? DNSExtension(payloadMax: DNSRequest.payloadMax, wantsSignatures: key.wantsSignatures) : nil
        )
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        return buffer
    }
}
