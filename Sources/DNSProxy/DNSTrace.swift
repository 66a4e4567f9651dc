package import DNSWire
internal import NIOCore

/// How one question was answered, for people.
package struct DNSTraceStep: Hashable, Sendable {
    /// Who gave the answer.
    package enum Source: Hashable, Sendable {
        /// The name table: the name without a search domain, as the table has it.
        case table(host: DNSName)
        /// An address that the proxy gave to this name under a wildcard.
        case minted(host: DNSName)
        /// Nobody was asked: the name is in a zone of ours and is not there.
        case zone
        /// Nobody was asked: the table has not come yet, and the name may be in it.
        case notReady
        /// Another server, asked just now.
        case upstream(DNSUpstream?)
        /// Another server's earlier answer; it may be out of date (RFC 8767).
        case cached(DNSUpstream?, isStale: Bool)
        /// No server answered.
        case nobody
    }

    package var question: DNSQuestion
    package var source: Source
    package var code: DNSResponseCode
    package var answers: [DNSRecord]
    /// The SOA of a negative answer, if it came with one.
    package var authorities: [DNSRecord]
    package var duration: Duration

    package init(
        question: DNSQuestion,
        source: Source,
        code: DNSResponseCode,
        answers: [DNSRecord],
        authorities: [DNSRecord],
        duration: Duration = .zero
    ) {
        self.question = question
        self.source = source
        self.code = code
        self.answers = answers
        self.authorities = authorities
        self.duration = duration
    }

    /// Whether a record of the type that was asked for came, so that a client looks no further.
    package var isFound: Bool { self.answers.contains { $0.data.type == self.question.type } }

    /// Whether clients of C libraries stop here though they got no address: they take any record for an answer.
    package var endsSearch: Bool { self.code == .noError && !self.answers.isEmpty }

    /// How long it may be kept: the shortest of all records, or what the SOA says (RFC 2308 section 5).
    package var ttl: UInt32? {
        if let shortest = self.answers.map(\.ttl).min(), self.isFound { return shortest }
        return self.authorities.compactMap { record in
            if case .soa(let start) = record.data { min(record.ttl, start.minimum) } else { nil }
        }.min()
    }
}

/// A whole lookup as a client beside the proxy would do it.
package struct DNSTrace: Hashable, Sendable {
    package var plan: LookupPlan
    /// What was asked, in order; one step per name and type.
    package var steps: [DNSTraceStep] = []
    /// How many names of the plan were asked for.
    package var namesAsked = 0
    package var isFound = false

    package init(plan: LookupPlan) { self.plan = plan }

    /// Takes in what one name gave for all types.
    ///
    /// - Returns: whether a client would ask for the next name.
    package mutating func answered(_ steps: [DNSTraceStep]) -> Bool {
        self.steps += steps
        self.namesAsked += 1
        self.isFound = steps.contains(where: \.isFound)
        return !self.isFound && !steps.contains(where: \.endsSearch)
    }
}

extension DNSServer {
    /// Asks for the names of a plan as a client would, until one is answered.
    package func trace(_ plan: LookupPlan, types: [DNSType] = [.a, .aaaa]) async -> DNSTrace {
        var trace = DNSTrace(plan: plan)
        for name in plan.names {
            var steps: [DNSTraceStep] = []
            await withTaskGroup(of: DNSTraceStep.self) { group in
                // At once, as clients do.
                for type in types { group.addTask { await self.trace(DNSQuestion(name: name, type: type)) } }
                for await step in group { steps.append(step) }
            }
            steps.sort { $0.question.type.rawValue < $1.question.type.rawValue }
            if !trace.answered(steps) { break }
        }
        return trace
    }

    /// Answers one question as a client's, and tells how.
    package func trace(_ question: DNSQuestion) async -> DNSTraceStep {
        let start = ContinuousClock.now
        var step = await self.traced(question)
        step.duration = ContinuousClock.now - start
        return step
    }
}
