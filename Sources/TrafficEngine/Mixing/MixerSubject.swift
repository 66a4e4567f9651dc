/// What the policy engine is asked about or told of.
package enum MixerSubject: Sendable {
    case request(OwnedRequest)
    /// A connection whose bytes nobody reads; `id` names it in all that is said of it.
    case connection(id: String)

    package var isConnection: Bool {
        switch self {
        case .request: false
        case .connection: true
        }
    }

    /// Of a request's header lines, their names and values.
    var headBytes: Int {
        switch self {
        case .request(let request): request.headerBytes
        case .connection: 0
        }
    }

    func isAlike(_ other: MixerSubject) -> Bool {
        switch (self, other) {
        case (.request(let own), .request(let other)): own.isSame(as: other)
        case (.connection(let own), .connection(let other)): own == other
        case (.request, .connection), (.connection, .request): false
        }
    }

    /// Its attributes, valid during the call.
    package func withAttributes<Result>(
        _ facts: PolicyFacts,
        _ policy: MixerPolicy,
        _ service: MixerService?,
        _ body: (RequestAttributes) -> Result
    ) -> Result {
        switch self {
        case .request(let request): request.withView { body(RequestAttributes($0, facts, policy, service)) }
        case .connection(let id): body(RequestAttributes(connection: id, facts, policy, service))
        }
    }
}
