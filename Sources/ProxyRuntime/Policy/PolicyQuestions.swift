internal import Logging
internal import MeshModel
internal import TrafficEngine

extension PolicyFacts {
    init(_ facts: ClientFacts) {
        self.init(
            source: facts.source?.ip,
            destination: facts.destination,
            serverName: facts.serverName,
            peer: facts.peer
        )
        self.localURI = facts.localURI
        self.isPeerOfMesh = facts.isPeerOfMesh
    }
}

extension AuthorizationQuestion {
    /// About a request, or, without `view`, about a connection.
    init(_ view: RequestView?, _ facts: ClientFacts, endpoints: [ServiceEndpoint]) {
        self.init(
            request: view.map { Request($0, facts) },
            source: facts.source,
            destination: facts.destination,
            endpoints: endpoints
        )
        self.sourcePrincipal = facts.peer?.uris.first ?? ""
        self.serverName = facts.serverName ?? ""
    }
}

extension AuthorizationQuestion.Request {
    fileprivate init(_ view: RequestView, _ facts: ClientFacts) {
        self.init()
        func text(_ range: ByteRange) -> String { String(decoding: view[range], as: UTF8.self) }
        self.method = text(view.method)
        self.path = text(view.target)
        self.host = text(view.authority)
        self.scheme = view.isSecure ? "https" : "http"
        self.version = facts.negotiatedProtocol == "h2" ? "HTTP/2" : "HTTP/1.1"
        self.headers = view.headers.map { .init(name: text($0.name).lowercased(), value: text($0.value)) }
        for header in self.headers {
            if header.name == "x-request-id" { self.id = header.value }
            if header.name == "content-length" { self.size = Int64(header.value) ?? -1 }
        }
    }
}

extension RequestView {
    /// Whether there is such a header; `name` in lower case.
    func has(_ name: [UInt8]) -> Bool {
        self.headers.contains { Bytes.equal(self[$0.name], lowercase: name) }
    }

    /// The value of the first such header; `name` in lower case.
    func first(_ name: [UInt8]) -> UnsafeRawBufferPointer? {
        self.headers.first { Bytes.equal(self[$0.name], lowercase: name) }.map { self[$0.value] }
    }
}

extension Worker {
    /// Where a policy's service can be reached, beginning with a random endpoint.
    func endpoints(of policy: ExternalPolicy) -> [ServiceEndpoint] {
        self.cluster(policy.cluster)?
            .usableEndpoints(max: ServiceEndpoint.countMax, from: self.random()) ?? []
    }

    func logAuthorizationFailure(_ policy: ExternalPolicy, _ reason: String) {
        self.logger.debug(
            "authorization service could not be asked",
            metadata: [
                "policy": "\(policy.name)", "cluster": "\(policy.clusterName)", "reason": "\(reason)",
                "lets_through": "\(policy.provider.failsOpen)",
            ]
        )
    }
}
