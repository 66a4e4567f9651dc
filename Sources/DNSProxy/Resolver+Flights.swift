internal import DNSWire
internal import NIOCore

/// The ways of questions: from the first try to what clients are told.
extension Resolver {
    mutating func start(_ id: FlightID, _ now: Duration, _ effects: inout [Effect]) {
        guard let steps = self.flights[id]?.machine.started() else { return }
        for step in steps { self.obey(step, id, now, &effects) }
    }

    mutating func obey(
        _ step: UpstreamQuestion.OnTrouble,
        _ id: FlightID,
        _ now: Duration,
        _ effects: inout [Effect]
    ) {
        switch step {
        case .ask(let attempt): self.send(id, attempt, now, &effects)
        case .wait: ()
        case .fail: self.finish(id, nil, now, &effects)
        }
    }

    mutating func send(
        _ id: FlightID,
        _ attempt: UpstreamQuestion.Attempt,
        _ now: Duration,
        _ effects: inout [Effect]
    ) {
        guard let key = self.flights[id]?.key else { return }
        let due = now + attempt.timeout
        let sent = Sent(at: now, due: due, server: attempt.server)
        if sent.isSocket {
            self.makeRoom(for: id, &effects)
            self.socketsOpen += 1
        }
        self.flights[id]?.sent[attempt.number] = sent
        self.counters.upstreamRequests += 1
        self.health.asked(attempt.server)
        self.expect(due)
        effects.append(.send(id, attempt, Self.message(key, attempt)))
    }

    mutating func close(_ id: FlightID, _ number: Int, _ effects: inout [Effect]) {
        self.forget(id, number)
        effects.append(.close(id, attempt: number))
    }

    private mutating func forget(_ id: FlightID, _ number: Int) {
        guard let sent = self.flights[id]?.sent.removeValue(forKey: number) else { return }
        if sent.isSocket { self.socketsOpen -= 1 }
    }

    /// Closes a socket if there are as many as there may be: one whose server was silent for its time, of the same
    /// question if there is one; else one of a question that has others; else the one that this question has.
    private mutating func makeRoom(for id: FlightID, _ effects: inout [Effect]) {
        guard self.socketsOpen >= Self.socketsMax else { return }
        let order = [id] + self.flights.keys.sorted()
        guard let (owner, number) = self.silentTry(order) ?? self.spareTry(order) ?? self.onlyTry(id) else { return }
        self.flights[owner]?.machine.dropped(number)
        self.counters.triesDropped += 1
        self.close(owner, number, &effects)
    }

    private func silentTry(_ order: [FlightID]) -> (FlightID, Int)? {
        for id in order {
            let silent = self.flights[id]?.sent.filter { $0.value.isSocket && $0.value.due == nil }
            if let number = silent?.keys.min() { return (id, number) }
        }
        return nil
    }

    private func onlyTry(_ id: FlightID) -> (FlightID, Int)? {
        self.flights[id]?.sent.filter { $0.value.isSocket }.keys.min().map { (id, $0) }
    }

    private func spareTry(_ order: [FlightID]) -> (FlightID, Int)? {
        for id in order {
            let sockets = self.flights[id]?.sent.filter { $0.value.isSocket } ?? [:]
            if sockets.count > 1, let number = sockets.keys.min() { return (id, number) }
        }
        return nil
    }

    /// Ends a question; without an answer clients get what is out of date, or a failure.
    mutating func finish(
        _ id: FlightID,
        _ answer: KeptAnswer?,
        _ now: Duration,
        _ effects: inout [Effect]
    ) {
        guard let flight = self.flights.removeValue(forKey: id) else { return }
        for (number, sent) in flight.sent.sorted(by: { $0.key < $1.key }) {
            if sent.isSocket { self.socketsOpen -= 1 }
            effects.append(.close(id, attempt: number))
        }
        if case .probe = flight.purpose { return }
        if case .prefetch = flight.purpose { self.prefetches -= 1 }
        if self.flightOfKey[flight.key] == id { self.flightOfKey[flight.key] = nil }
        let result: ForwardResult
        if let answer {
            if !flight.isOutdated { self.cache.store(answer, for: flight.key, now: now) }
            self.counters.forwardedAnswers += UInt64(flight.waiters.count)
            result = .answer(ForwardedAnswer(answer, came: now, now: now, mayBeKept: !flight.isOutdated))
        } else {
            self.counters.upstreamFailures += 1
            let stale = flight.isOutdated ? flight.stale : self.cache.failed(flight.key, now: now) ?? flight.stale
            if let stale {
                self.counters.staleAnswers += UInt64(flight.waiters.count)
                result = .answer(ForwardedAnswer(stale, origin: .stale))
            } else {
                self.counters.serverFailures += UInt64(flight.waiters.count)
                result = .failed
            }
        }
        for waiter in flight.waiters { effects.append(.reply(waiter, result)) }
    }

    mutating func failed() -> ForwardResult {
        self.counters.serverFailures += 1
        return .failed
    }

    mutating func timePassed(_ id: FlightID, _ now: Duration, _ effects: inout [Effect]) {
        guard let flight = self.flights[id] else { return }
        for (number, sent) in flight.sent.sorted(by: { $0.key < $1.key }) {
            // It may have made room for another meanwhile.
            guard let due = sent.due, due <= now, self.flights[id]?.sent[number] != nil else { continue }
            self.flights[id]?.sent[number]?.due = nil
            self.health.failed(sent.server, sent: sent.at, now: now)
            let isConnection = flight.machine.attempt(number).map { $0.transport != .udp } ?? false
            if isConnection {
                self.forget(id, number)
                effects.append(.giveUp(id, attempt: number))
            }
            guard let step = self.flights[id]?.machine.attemptTimedOut(number) else { continue }
            self.obey(step, id, now, &effects)
        }
        if flight.ends <= now {
            self.flights[id]?.machine.budgetEnded()
            return self.finish(id, nil, now, &effects)
        }
        if let due = flight.staleDue, due <= now, let stale = flight.stale, self.flights[id] != nil {
            // The question goes on: its answer is for the next client.
            self.flights[id]?.staleDue = nil
            self.flights[id]?.waiters = []
            self.counters.staleAnswers += UInt64(flight.waiters.count)
            for waiter in flight.waiters {
                effects.append(.reply(waiter, .answer(ForwardedAnswer(stale, origin: .stale))))
            }
        }
    }

    // MARK: Servers

    /// A server has answered, whatever it said; `isAnswer`: that there is something, or that there is not.
    mutating func alive(
        _ attempt: UpstreamQuestion.Attempt,
        _ bytes: [UInt8],
        isAnswer: Bool,
        _ sent: Sent,
        _ now: Duration
    ) {
        // Opening a connection takes time as well: only UDP says how far a server is.
        let wasDead = self.health.answered(
            attempt.server,
            sent: attempt.transport == .udp ? sent.at : nil,
            now: now
        )
        // A server that refuses the question in any form has not said that EDNS or letters are to blame.
        if attempt.isCaseless, isAnswer { self.health.foundToLoseCase(attempt.server, now: now) }
        if attempt.isPlain, isAnswer { self.health.foundToLackEDNS(attempt.server, now: now) }
        if attempt.isDoubted {
            let echo = bytes.dropFirst(12).prefix(attempt.name.wire.count)
            if echo.elementsEqual(attempt.name.wire) {
                self.health.foundToKeepCase(attempt.server)
            } else {
                self.health.foundToLoseCase(attempt.server, now: now)
            }
        }
        if wasDead { self.cache.forgetFailures() }
    }

    mutating func expectProbe() {
        if let due = self.health.nextProbe { self.expect(due) }
    }

    static func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
    }

    /// The question as we ask it. Options of the client are between neighbours and stay behind.
    private static func message(_ key: AnswerCache.Key, _ attempt: UpstreamQuestion.Attempt) -> [UInt8] {
        let message = DNSMessage(
            // AD: we know what it means in the answer.
            header: DNSHeader(id: attempt.id, flags: key.flags & 0x0110 | 0x0020),
            questions: [DNSQuestion(name: attempt.name, type: key.question.type)],
            edns: attempt.hasEDNS
                ? DNSExtension(payloadMax: DNSRequest.payloadMax, wantsSignatures: key.wantsSignatures) : nil
        )
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        return Array(buffer.readableBytesView)
    }
}
