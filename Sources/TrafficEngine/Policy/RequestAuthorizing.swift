internal import MeshModel

/// Asks services whether requests may pass.
package protocol RequestAuthorizing: Sendable {
    /// Asks about one request or connection.
    ///
    /// - Parameters:
    ///   - question: what the service is told, and its addresses.
    ///   - policy: which service, and how.
    ///   - completion: called once, on any thread; the provider's timeout bounds the wait.
    func authorize(
        _ question: AuthorizationQuestion,
        policy: ExternalPolicy,
        completion: @escaping @Sendable (AuthorizationAnswer) -> Void
    )
}

/// What an authorization service is told (Envoy `AttributeContext`).
package struct AuthorizationQuestion: Sendable {
    package struct Header: Hashable, Sendable {
        /// Lower case.
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Body: Hashable, Sendable {
        package var bytes: [UInt8]
        /// There is more of it.
        package var isPartial: Bool

        package init(bytes: [UInt8], isPartial: Bool) {
            self.bytes = bytes
            self.isPartial = isPartial
        }
    }

    package struct Request: Hashable, Sendable {
        package var id = ""
        package var method = ""
        /// With the query.
        package var path = ""
        package var host = ""
        package var scheme = "http"
        /// `HTTP/1.1` or `HTTP/2`.
        package var version = "HTTP/1.1"
        package var headers: [Header] = []
        /// Of the body; -1: unknown.
        package var size: Int64 = -1
        /// What the service is sent of it; `nil`: it asked for nothing.
        package var body: Body?

        package init() {}
    }

    /// `nil`: it is about a connection.
    package var request: Request?
    package var source: NetworkAddress?
    package var destination: NetworkAddress
    /// `spiffe://…`; empty: not known.
    package var sourcePrincipal = ""
    package var destinationPrincipal = ""
    package var serverName = ""
    /// Where the service can be reached, best first; at most `ServiceEndpoint.countMax` are tried.
    package var endpoints: [ServiceEndpoint]

    package init(
        request: Request?,
        source: NetworkAddress?,
        destination: NetworkAddress,
        endpoints: [ServiceEndpoint]
    ) {
        self.request = request
        self.source = source
        self.destination = destination
        self.endpoints = endpoints
    }
}

/// What an authorization service says.
package enum AuthorizationAnswer: Hashable, Sendable {
    case allowed(requestHeaders: HeaderEdits, responseHeaders: HeaderEdits)
    case denied(status: Int, body: [UInt8], headers: HeaderEdits)
    /// It could not be asked; why, for people.
    case failed(String)
}
