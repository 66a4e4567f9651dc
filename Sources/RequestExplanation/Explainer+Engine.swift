import MeshModel
import TrafficEngine

extension Explainer {
    /// Says what the policy engine is asked and told, and by whom; `manager`: of requests, not of connections.
    mutating func ask(_ mixer: MixerPolicy, _ manager: HTTPConnectionManager? = nil) {
        let server = mixer.checkServer ?? mixer.reportServer
        guard let server else { return }
        let fallback = mixer.failsOpen ? "passes (fail open)" : "is refused with 503 (fail closed)"
        let text =
            switch (mixer.checkServer, mixer.reportServer) {
            case (.some, .some(let other)) where other.name == server.name:
                "the policy engine (\(server.name)) is asked, and told what becomes of the request; without an answer "
                    + "the request \(fallback)"
            case (.some, .some(let other)):
                "the policy engine (\(server.name)) is asked, and \(other.name) told what becomes of the request; "
                    + "without an answer the request \(fallback)"
            case (.some, nil):
                "the policy engine (\(server.name)) is asked, and told nothing; without an answer the request \(fallback)"
            case (nil, _): "the policy engine (\(server.name)) is told what becomes of the request, and not asked"
            }
        self.add(.policy, text)
        if let manager { self.charge(mixer, manager) }
        self.explanation.engines.append(self.visit(mixer))
    }

    /// The quotas that the request is charged.
    private mutating func charge(_ mixer: MixerPolicy, _ manager: HTTPConnectionManager) {
        guard mixer.checkServer != nil else { return }
        let facts = self.policyFacts
        let state = self.hop.proxy.state
        let (destination, charges) = self.request.withView { view in
            let destination =
                switch mixer.side {
                case .inbound: mixer.destination(of: view)
                case .outbound: mixer.destination(of: state.service(of: view, in: manager))
                }
            return (destination, destination.charges(RequestAttributes(view, facts, mixer, destination.service)))
        }
        if destination.quotas.isEmpty { return }
        let amounts = charges.map { "\($0.quota) \($0.amount)" }.joined(separator: ", ")
        self.add(
            .policy,
            charges.isEmpty
                ? "no quota is charged: the QuotaSpecs here are for other requests"
                : "charged if it may pass: \(amounts); 429 when used up"
        )
    }

    var policyFacts: PolicyFacts {
        PolicyFacts(
            source: self.hop.facts.source,
            destination: self.hop.facts.destination,
            serverName: self.hop.facts.serverName,
            peer: self.hop.peer
        )
    }

    private func visit(_ mixer: MixerPolicy) -> Explanation.EngineVisit {
        let facts = self.hop.arrival ?? self.hop.facts
        let workload = self.hop.proxy.key.workload
        var headers = self.question.headers.filter { $0.key != "host" }
        // The proxy before this one has written it.
        if !self.hop.isOutbound, headers["x-forwarded-proto"] == nil {
            headers["x-forwarded-proto"] = self.question.isTLS ? "https" : "http"
        }
        // To proxies that it speaks mutual TLS of the mesh with it says who sends the request.
        if !self.hop.isOutbound, self.hop.peer != nil {
            let client = self.hop.client.id
            let value = ForwardedAttributes.value(sourceUID: "kubernetes://\(client.name).\(client.namespace)")
            headers[String(decoding: ForwardedAttributes.header, as: UTF8.self)] = String(
                decoding: value,
                as: UTF8.self
            )
        }
        return Explanation.EngineVisit(
            pod: "\(workload.namespace)/\(workload.name)",
            isOutbound: self.hop.isOutbound,
            checks: mixer.checkServer?.name,
            reports: mixer.reportServer?.name,
            failsOpen: mixer.failsOpen,
            destination: facts.destination.description,
            source: facts.source?.description,
            peer: self.hop.peer?.uris.first,
            serverName: facts.serverName,
            isTLS: facts.isTLS,
            protocols: facts.applicationProtocols,
            method: self.question.method,
            target: self.question.target,
            authority: self.authority,
            headers: headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" },
            isSecure: self.question.isTLS
        )
    }
}
