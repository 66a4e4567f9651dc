package import DNSWire

/// Everything that is known of other servers' answers, and all questions that are out for more.
///
/// It decides and does nothing itself: it is told of questions, answers, troubles and the time, and says what to send,
/// close and reply. Equal questions at the same time are asked once.
package struct Resolver: Sendable {
    package typealias FlightID = Int
    /// One client's place in the queue for an answer.
    package typealias Ticket = UInt64

    package struct Options: Hashable, Sendable {
        package var cache = AnswerCache.Options()
        package var bindings = ServiceBindings.unchanged
        /// How long a client waits before it gets an answer that is out of date (RFC 8767 section 5).
        package var clientPatience = Duration.milliseconds(1800)

        package init() {}
    }

    package enum OnQuestion: Sendable {
        case known(ForwardResult)
        /// The answer comes later, for this ticket.
        case wait(Ticket)
    }

    /// To be done, in this order.
    package enum Effect: Sendable {
        /// Open a socket, send this, report what comes back.
        case send(FlightID, UpstreamQuestion.Attempt, [UInt8])
        case close(FlightID, attempt: Int)
        /// The same, because nothing came for as long as it may take.
        case giveUp(FlightID, attempt: Int)
        case reply(Ticket, ForwardResult)
    }

    struct Sent {
        var at: Duration
        /// When its time is over; `nil`: it was told so already.
        var due: Duration?
        var server: DNSUpstream

        /// Over TLS all share a connection.
        var isSocket: Bool { self.server.tlsName == nil }
    }

    struct Flight {
        var key: AnswerCache.Key
        var machine: UpstreamQuestion
        var waiters: [Ticket] = []
        var sent: [Int: Sent] = [:]
        var ends: Duration
        /// When clients get what is out of date.
        var staleDue: Duration?
        var stale: KeptAnswer?
        var purpose: Purpose
        /// Its servers are no longer ours: the answer is for those who wait, and for nobody later.
        var isOutdated = false
    }

    enum Purpose {
        /// Clients wait for it.
        case client
        /// A client may want it soon.
        case prefetch
        /// It only finds out whether a server is alive.
        case probe
    }

    /// Questions under way at once; each costs a socket or a few.
    package static let flightsMax = 512
    /// Sockets at once: a process may have 1024 files (the usual limit), and the traffic's connections need some.
    package static let socketsMax = 512
    /// Of these, questions that no client waits for.
    package static let prefetchesMax = 128
    /// Clients that wait for one question.
    package static let waitersMax = 256

    package private(set) var upstreams: DNSUpstreams
    private let options: Options
    var cache: AnswerCache
    var health: UpstreamHealth
    var flights: [FlightID: Flight] = [:]
    var flightOfKey: [AnswerCache.Key: FlightID] = [:]
    var prefetches = 0
    var socketsOpen = 0
    private var lastFlight = 0
    private var lastTicket: Ticket = 0
    private var isStopped = false
    var counters = DNSStatistics()
    private var random: any RandomNumberGenerator & Sendable
    /// When `timePassed` is to be called at the latest.
    package private(set) var nextDeadline: Duration?

    /// - Parameters:
    ///   - upstreams: the servers to ask until `update`.
    ///   - options: limits.
    ///   - hitsElsewhere: answers may be given by somebody who need not ask here.
    ///   - random: gives the numbers in messages and the case of letters.
    package init(
        upstreams: DNSUpstreams,
        options: Options = Options(),
        hitsElsewhere: @escaping AnswerCache.HitsElsewhere = { _ in 0 },
        random: some RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.upstreams = upstreams
        self.options = options
        self.cache = AnswerCache(options: options.cache, hitsElsewhere: hitsElsewhere)
        self.health = UpstreamHealth(upstreams.servers)
        self.random = random
    }

    package var statistics: DNSStatistics {
        var statistics = self.counters
        statistics.cacheEntries = self.cache.count
        statistics.cacheBytes = self.cache.bytes
        statistics.cacheEvictions = self.cache.evictions
        statistics.upstreams = self.health.servers
        return statistics
    }

    package var flightCount: Int { self.flights.count }

    // MARK: What happens

    /// A client asks.
    package mutating func asked(_ query: DNSQuery, now: Duration, _ effects: inout [Effect]) -> OnQuestion {
        let key = AnswerCache.Key(query)
        switch self.cache.found(key, now: now) {
        case .fresh(let answer, let came, let refresh):
            if answer.isNegative { self.counters.cacheNegativeHits += 1 } else { self.counters.cacheHits += 1 }
            if refresh { self.prefetch(key, now, &effects) }
            return .known(.answer(ForwardedAnswer(answer, came: came, now: now, origin: .cached)))
        case .stale(let answer, let ask):
            return self.outdated(answer, ask: ask, key, now, &effects)
        case .failing:
            self.counters.failuresCached += 1
            return .known(self.failed())
        case .nothing:
            self.counters.cacheMisses += 1
            return self.join(key, stale: nil, now, &effects)
        }
    }

    /// Bytes came for a try.
    package mutating func answered(
        _ id: FlightID,
        _ number: Int,
        _ bytes: [UInt8],
        now: Duration,
        _ effects: inout [Effect]
    ) {
        guard let flight = self.flights[id], let sent = flight.sent[number],
            let attempt = flight.machine.attempt(number),
            let step = self.flights[id]?.machine.answered(number, bytes)
        else { return }
        switch step {
        case .ignore: return
        case .forged(let kind):
            self.counters.forged[kind, default: 0] += 1
            return
        case .doubt(let kind, let next):
            self.counters.forged[kind, default: 0] += 1
            self.close(id, number, &effects)
            self.send(id, next, now, &effects)
            return
        case .ask, .wait, .finish, .fail: ()
        }
        let isAnswer = if case .finish = step { true } else { false }
        self.alive(attempt, bytes, isAnswer: isAnswer, sent, now)
        self.counters.upstreamDuration.record(nanoseconds: Self.nanoseconds(now - sent.at))
        switch step {
        case .ignore, .forged, .doubt: ()
        case .ask(let next):
            self.close(id, number, &effects)
            self.send(id, next, now, &effects)
        case .wait: self.close(id, number, &effects)
        case .finish(let clean):
            self.counters.strangers += UInt64(clean.strangers)
            self.finish(id, KeptAnswer(clean, from: sent.server), now, &effects)
        case .fail: self.finish(id, nil, now, &effects)
        }
    }

    /// A try's socket failed.
    package mutating func attemptFailed(_ id: FlightID, _ number: Int, now: Duration, _ effects: inout [Effect]) {
        guard let sent = self.flights[id]?.sent[number] else { return }
        if sent.due != nil { self.health.failed(sent.server, sent: sent.at, now: now) }
        self.close(id, number, &effects)
        guard let step = self.flights[id]?.machine.attemptFailed(number) else { return }
        self.obey(step, id, now, &effects)
        self.expectProbe()
    }

    /// Looks for what is overdue.
    package mutating func timePassed(now: Duration, _ effects: inout [Effect]) {
        for id in self.flights.keys.sorted() { self.timePassed(id, now, &effects) }
        for server in self.health.probesDue(now: now) { self.probe(server, now, &effects) }
        self.nextDeadline = self.health.nextProbe
        for flight in self.flights.values {
            self.expect(flight.ends)
            if let due = flight.staleDue { self.expect(due) }
            for sent in flight.sent.values { if let due = sent.due { self.expect(due) } }
        }
    }

    /// New questions go to these servers; those under way stay with theirs.
    package mutating func update(_ upstreams: DNSUpstreams, now: Duration) {
        if upstreams.servers != self.upstreams.servers {
            self.health.update(upstreams.servers)
            self.cache.outdate(now: now)
            for id in self.flights.keys { self.flights[id]?.isOutdated = true }
            self.flightOfKey = [:]
        }
        self.upstreams = upstreams
    }

    /// Fails everything that is under way, and all that comes.
    package mutating func stop(now: Duration, _ effects: inout [Effect]) {
        self.isStopped = true
        for id in self.flights.keys.sorted() { self.finish(id, nil, now, &effects) }
        self.cache.removeAll()
    }

    // MARK: Questions

    /// The answer's time is over: a server may know better, but not for ever (RFC 8767 section 5).
    private mutating func outdated(
        _ answer: KeptAnswer,
        ask: Bool,
        _ key: AnswerCache.Key,
        _ now: Duration,
        _ effects: inout [Effect]
    ) -> OnQuestion {
        let isLate =
            if let id = self.flightOfKey[key], let flight = self.flights[id] {
                flight.stale != nil && flight.staleDue == nil
            } else { false }
        guard ask, !isLate else {
            self.counters.staleAnswers += 1
            return .known(.answer(ForwardedAnswer(answer, origin: .stale)))
        }
        self.counters.cacheMisses += 1
        return self.join(key, stale: answer, now, &effects)
    }

    private mutating func join(
        _ key: AnswerCache.Key,
        stale: KeptAnswer?,
        _ now: Duration,
        _ effects: inout [Effect]
    ) -> OnQuestion {
        if let id = self.flightOfKey[key], let flight = self.flights[id], flight.waiters.count < Self.waitersMax {
            self.counters.joined += 1
            self.wait(id, stale, now)
            return .wait(self.lastTicket)
        }
        guard !self.isStopped, self.flightOfKey[key] == nil, self.flights.count < Self.flightsMax else {
            self.counters.overloaded += 1
            guard let stale else { return .known(self.failed()) }
            self.counters.staleAnswers += 1
            return .known(.answer(ForwardedAnswer(stale, origin: .stale)))
        }
        let id = self.begin(key, self.plan(now), .client, now)
        self.wait(id, stale, now)
        let ticket = self.lastTicket
        self.start(id, now, &effects)
        return .wait(ticket)
    }

    private mutating func wait(_ id: FlightID, _ stale: KeptAnswer?, _ now: Duration) {
        self.lastTicket += 1
        if self.flights[id]?.purpose == .prefetch {
            self.flights[id]?.purpose = .client
            self.prefetches -= 1
        }
        let ticket = self.lastTicket
        self.flights[id]?.waiters.append(ticket)
        guard let stale, self.flights[id]?.stale == nil else { return }
        self.flights[id]?.stale = stale
        let due = now + self.options.clientPatience
        self.flights[id]?.staleDue = due
        self.expect(due)
    }

    private mutating func prefetch(_ key: AnswerCache.Key, _ now: Duration, _ effects: inout [Effect]) {
        guard !self.isStopped, self.flightOfKey[key] == nil, self.prefetches < Self.prefetchesMax,
            self.flights.count < Self.flightsMax
        else { return }
        self.counters.prefetches += 1
        self.prefetches += 1
        let id = self.begin(key, self.plan(now), .prefetch, now)
        self.start(id, now, &effects)
    }

    /// Whether a server is alive is asked with a question that every server can answer, or refuse.
    private mutating func probe(_ server: DNSUpstream, _ now: Duration, _ effects: inout [Effect]) {
        guard !self.isStopped, self.flights.count < Self.flightsMax else { return }
        let key = AnswerCache.Key(question: DNSQuestion(name: .root, type: .ns), flags: 0x0100)
        self.start(self.begin(key, UpstreamPlan(probe: server), .probe, now), now, &effects)
    }

    private func plan(_ now: Duration) -> UpstreamPlan {
        UpstreamPlan(self.upstreams, self.health, first: self.lastFlight, now: now)
    }

    private mutating func begin(
        _ key: AnswerCache.Key,
        _ plan: UpstreamPlan,
        _ purpose: Purpose,
        _ now: Duration
    ) -> FlightID {
        self.lastFlight &+= 1
        // A generator with a seed must give each question numbers of its own.
        _ = self.random.next()
        let machine = UpstreamQuestion(
            question: key.question,
            plan: plan,
            wantsSignatures: key.wantsSignatures,
            bindings: self.options.bindings,
            random: self.random
        )
        let ends = now + self.upstreams.budget
        let id = self.lastFlight
        self.flights[id] = Flight(key: key, machine: machine, ends: ends, purpose: purpose)
        switch purpose {
        case .client, .prefetch: self.flightOfKey[key] = id
        case .probe: ()
        }
        self.expect(ends)
        return id
    }

    mutating func expect(_ due: Duration) {
        self.nextDeadline = self.nextDeadline.map { min($0, due) } ?? due
    }
}
