/// How one request is decided, step by step: each rule that counts for it, each handler that is asked, and the answer.
package struct PolicyTrace: Codable, Hashable, Sendable {
    /// An attribute, or an entry of a map, that was looked at.
    package struct Reading: Codable, Hashable, Sendable {
        package var attribute: String
        package var key: String?
        /// As expressions write it; `nil`: the request lacks it.
        package var value: String?

        /// `request.headers["x"]`
        package var name: String { self.attribute + (self.key.map { "[\(AttributeValue.quoted($0))]" } ?? "") }
    }

    /// An instance as its handler gets it.
    package struct Instance: Codable, Hashable, Sendable {
        /// `NAME.NAMESPACE`
        package var name: String
        package var template: String
        /// By field, as expressions write values: `subject.user`, `dimensions[host]`.
        package var values: [String: String] = [:]
    }

    package struct Status: Codable, Hashable, Sendable {
        /// Of gRPC.
        package var code: Int32
        package var message: String

        package var isOK: Bool { self.code == 0 }

        init(_ status: PolicyStatus) {
            self.code = status.code.number
            self.message = status.message
        }
    }

    /// What a handler said.
    package struct Answer: Codable, Hashable, Sendable {
        package var status: Status
        package var validSeconds: Double
        /// Negative: any number.
        package var uses: Int32
        /// What header operations or attribute bindings find.
        package var output: [String: String] = [:]
        package var microseconds: Int64
    }

    /// How much of a quota is left.
    package struct QuotaLeft: Codable, Hashable, Sendable {
        package var amount: Int64
        package var amountMax: Int64

        package init(amount: Int64, amountMax: Int64) {
            self.amount = amount
            self.amountMax = amountMax
        }
    }

    /// An instance of a rule on its way to a handler.
    package struct Action: Codable, Hashable, Sendable {
        package enum Phase: String, Codable, Hashable, Sendable { case attributes, check, quota, report }

        package var phase: Phase
        /// `NAME.NAMESPACE`
        package var handler: String
        package var adapter: String
        package var instance: Instance
        /// Why the instance has no values.
        package var mistake: String?
        /// `nil`: the handler was not asked, `unasked` says why.
        package var answer: Answer?
        package var unasked: String?
        package var left: QuotaLeft?
    }

    package struct Rule: Codable, Hashable, Sendable {
        package enum Outcome: String, Codable, Hashable, Sendable { case holds, fails, undecided }

        /// `NAME.NAMESPACE`
        package var name: String
        /// `nil`: it is for all requests.
        package var condition: String?
        package var outcome: Outcome
        /// Why it cannot be told whether it holds.
        package var mistake: String?
        /// What the condition looked at.
        package var readings: [Reading]
        /// Of a rule that holds.
        package var actions: [Action] = []
    }

    /// The answer that the proxy would get.
    package struct Result: Codable, Hashable, Sendable {
        package var status: Status
        package var validSeconds: Double
        package var uses: Int32
        /// What it depends on.
        package var references: [Reading]
        /// `REPLACE x-user: ann`
        package var requestHeaders: [String] = []
        package var responseHeaders: [String] = []
        /// 0: none in place of the service's.
        package var directStatus: UInt32 = 0
        package var directBody = ""
    }

    /// The namespace whose rules count besides those of the root; `nil`: the request says none.
    package var namespace: String?
    package var rootNamespace: String
    package var rules: [Rule] = []
    package var result: Result
    /// Names in the question that no attributemanifest defines.
    package var unknown: [String] = []
    /// Objects of the configuration that were left out for their mistakes.
    package var diagnoses: [String] = []

    /// Handlers that the answer lacks.
    package var unaskedHandlers: [String] {
        var names: [String] = []
        for action in self.rules.flatMap(\.actions) where action.phase == .check || action.phase == .attributes {
            if action.unasked != nil, !names.contains(action.handler) { names.append(action.handler) }
        }
        return names
    }
}

/// What becomes of a traced request, as far as can be told.
package enum PolicyTraceVerdict: Hashable, Sendable {
    case passes
    case refused
    /// Somebody whose word counts was not asked.
    case open
}

extension PolicyTrace {
    package var verdict: PolicyTraceVerdict {
        if !self.result.status.isOK { return .refused }
        return self.unaskedHandlers.isEmpty ? .passes : .open
    }
}
