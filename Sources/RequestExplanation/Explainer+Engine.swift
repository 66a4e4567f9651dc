import MeshModel
import TrafficEngine

extension Explainer {
    /// Says what the policy engine is asked and told, and by whom; `terminal`: what becomes of connections.
    mutating func ask(_ mixer: MixerPolicy, _ terminal: FilterChain.Terminal) {
        let server = mixer.checkServer ?? mixer.reportServer
        guard let server else { return }
        let (subject, refusal) =
            switch terminal {
            case .http: ("request", "is refused with 503")
            case .tcp: ("connection", "is closed")
            }
        let fallback = mixer.failsOpen ? "passes (fail open)" : "\(refusal) (fail closed)"
        let text =
            switch (mixer.checkServer, mixer.reportServer) {
            case (.some, .some(let other)) where other.name == server.name:
                "the policy engine (\(server.name)) is asked, and told what becomes of the \(subject); without an answer "
                    + "the \(subject) \(fallback)"
            case (.some, .some(let other)):
                "the policy engine (\(server.name)) is asked, and \(other.name) told what becomes of the \(subject); "
                    + "without an answer the \(subject) \(fallback)"
            case (.some, nil):
                "the policy engine (\(server.name)) is asked, and told nothing; without an answer the \(subject) \(fallback)"
            case (nil, _): "the policy engine (\(server.name)) is told what becomes of the \(subject), and not asked"
            }
        self.add(.policy, text)
        self.charge(mixer, terminal, subject)
        self.explanation.engines.append(self.visit(mixer))
    }

    /// The quotas that it is charged.
    private mutating func charge(_ mixer: MixerPolicy, _ terminal: FilterChain.Terminal, _ subject: String) {
        guard mixer.checkServer != nil else { return }
        let facts = self.policyFacts
        let (destination, charges) = self.destination(mixer, terminal) { destination, request in
            let attributes =
                request.map { RequestAttributes($0, facts, mixer, destination.service) }
                ?? RequestAttributes(connection: "0", facts, mixer, destination.service)
            return (destination, destination.charges(attributes))
        }
        if destination.quotas.isEmpty { return }
        let refusal = subject == "request" ? "429" : "closed"
        let amounts = charges.map { "\($0.quota) \($0.amount)" }.joined(separator: ", ")
        self.add(
            .policy,
            charges.isEmpty
                ? "no quota is charged: the QuotaSpecs here are for other \(subject)s"
                : "charged if it may pass: \(amounts); \(refusal) when used up"
        )
    }

    /// The service that a request, or without one the connection, is for.
    private func destination<Result>(
        _ mixer: MixerPolicy,
        _ terminal: FilterChain.Terminal,
        _ body: (MixerDestination, RequestView?) -> Result
    ) -> Result {
        let state = self.hop.proxy.state
        switch (terminal, mixer.side) {
        case (.http, .inbound): return self.request.withView { body(mixer.destination(of: $0), $0) }
        case (.http(let manager), .outbound):
            return self.request.withView { view in
                body(mixer.destination(of: state.service(of: view, in: manager), view), view)
            }
        case (.tcp, .inbound): return body(mixer.first, nil)
        case (.tcp(let proxy), .outbound):
            let facts = self.hop.arrival ?? self.hop.facts
            return body(mixer.destination(of: state.service(of: facts, through: proxy)), nil)
        }
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
