package import MeshModel
import TrafficEngine

/// Follows a request that nobody has sent from proxy to proxy, with the matchers that real traffic meets.
///
/// What only the outside knows stays open: answers of other name servers, tokens, services that authorize.
package struct Explainer {
    let snapshot: MeshSnapshot
    let source: Provenance
    let question: Question
    var explanation: Explanation
    var hop: Hop

    /// Where the request is and what is known of it there.
    struct Hop {
        var proxy: ProxyView
        /// The pod that the connection comes from.
        var client: Workload
        var facts: ConnectionFacts
        /// The proxy's listener is the one that outgoing traffic is led to.
        var isOutbound: Bool
        /// What the connection carries once TLS of the mesh is off.
        var isHTTP: Bool
        var peer: PeerIdentity?
        /// The connection as it came, before TLS was taken off.
        var arrival: ConnectionFacts?
    }

    /// So many proxies are visited at most; a longer way goes in a circle.
    private static let hopsMax = 5

    /// - Parameters:
    ///   - question: the request.
    ///   - snapshot: what the control plane knows now.
    /// - Returns: the way, or why there is none.
    package static func explain(_ question: Question, in snapshot: MeshSnapshot) -> Explanation {
        let source = Provenance(snapshot: snapshot)
        var explanation = Explanation(request: question.description)
        guard let workload = snapshot.workloads.values.first(where: { $0.id == question.workload }) else {
            explanation.isAllowed = false
            explanation.outcome = "There is no running pod \(question.workload) with an address."
            return explanation
        }
        guard source.proxy(of: workload) != nil else {
            explanation.outcome = "\(question.workload) has no sidecar: its traffic is not led through the mesh."
            return explanation
        }
        let proxy = ProxyView(source.key(of: workload, role: .sidecar), in: snapshot)
        var explainer = Explainer(
            snapshot: snapshot,
            source: source,
            question: question,
            explanation: explanation,
            hop: Hop(
                proxy: proxy,
                client: workload,
                facts: ConnectionFacts(destination: NetworkAddress(ip: .v4(0), port: question.port.number)),
                isOutbound: true,
                isHTTP: question.isHTTP
            )
        )
        explainer.dial()
        if explainer.isUnbound() { return explainer.explanation }
        for _ in 0..<Self.hopsMax {
            guard let next = explainer.pass() else { return explainer.explanation }
            explainer.hop = next
        }
        explainer.stop("It is passed round without an end.")
        return explainer.explanation
    }

    // MARK: Steps

    mutating func add(_ aspect: Explanation.Aspect, _ text: String, _ object: ObjectReference? = nil) {
        self.explanation.steps.append(
            Explanation.Step(
                proxy: self.hop.proxy.title,
                aspect: aspect,
                text: text,
                object: object?.description,
                resourceVersion: self.source.version(object)
            )
        )
    }

    /// The request ends here, unanswered by what it was meant for.
    mutating func stop(_ outcome: String, remedy: String? = nil) {
        self.explanation.isAllowed = false
        self.explanation.outcome = outcome
        self.explanation.remedy = remedy
    }

    mutating func arrive(_ outcome: String) { self.explanation.outcome = outcome }

    // MARK: The client

    /// The name is looked up, and the connection led to the sidecar.
    private mutating func dial() {
        let port = self.question.port.number
        if let address = IPAddress(self.question.host) {
            self.add(.name, "\(address) is dialled as it is")
            self.hop.facts.destination = NetworkAddress(ip: address, port: port)
        } else if let found = self.hop.proxy.lookUp(self.question.host) {
            let service = self.source.service(found.name, seenFrom: self.hop.client.id.namespace)
            let shown = found.addresses.map(\.description).joined(separator: ", ")
            self.add(
                .name,
                "\(self.question.host) is \(found.name), \(shown), answered by the sidecar",
                service?.source
            )
            if let first = found.addresses.first {
                self.hop.facts.destination = NetworkAddress(ip: first, port: port)
            }
        } else {
            self.add(.name, "\(self.question.host) is looked up outside the mesh; its address is not known here")
        }
        self.hop.facts.source = self.hop.client.address
        if self.question.isTLS {
            self.hop.facts.isTLS = true
            self.hop.facts.serverName = self.question.host
            self.hop.facts.applicationProtocols = ["h2", "http/1.1"]
        } else if self.question.isHTTP {
            self.hop.facts.applicationProtocols = ["http/1.1"]
        }
    }

    /// Takes the request through one proxy; `nil`: it ends there, well or not.
    private mutating func pass() -> Hop? {
        guard let listener = self.listener() else { return nil }
        guard let chain = listener.chain(for: self.hop.facts) else {
            self.refuseAtListener(listener)
            return nil
        }
        self.describe(chain, of: listener)
        self.hop.arrival = self.hop.facts
        self.takeTLSOff(chain)
        guard self.admits(chain.connectionPolicies) else { return nil }
        switch chain.terminal {
        case .http(let manager):
            guard self.admits(manager.policies) else { return nil }
            if let mixer = manager.mixer { self.ask(mixer, chain.terminal) }
            return self.route(manager)
        case .tcp(let proxy):
            if let mixer = proxy.mixer { self.ask(mixer, chain.terminal) }
            let name = self.clusterName(of: proxy)
            let shown = proxy.clusters.count > 1 ? "bytes go by weight, mostly to \(name)" : "bytes go to \(name)"
            self.add(.route, shown, self.connectionRules())
            return self.leave(by: name)
        }
    }

    private mutating func listener() -> Listener? {
        let state = self.hop.proxy.state
        let destination = self.hop.facts.destination
        if !self.hop.isOutbound {
            let name = self.hop.proxy.key.role == .router ? nil : "virtualInbound"
            let found = state.listeners.first { listener in
                name.map { listener.name == $0 } ?? (listener.isBound && listener.address.port == destination.port)
            }
            if let found {
                self.add(
                    .listener,
                    "\(found.name)\(name == nil ? "" : " takes what comes for port \(destination.port)")",
                    name == nil ? self.openingGateway : nil
                )
            } else {
                self.add(.listener, "nothing listens on port \(destination.port)")
                self.stop(
                    "The gateway does not listen on port \(destination.port): no Gateway that selects it has a server there.",
                    remedy: self.missingServer
                )
            }
            return found
        }
        if let own = ListenerTable(state.listeners).listener(for: destination) {
            self.add(.listener, "\(own.name) takes connections to \(self.dialled)")
            return own
        }
        guard let entrance = self.hop.proxy.listener(named: "virtualOutbound") else {
            self.stop("The sidecar has no outbound listener.")
            return nil
        }
        self.add(.listener, "\(entrance.name): nobody declared \(self.dialled)")
        return entrance
    }

    private var dialled: String {
        self.hop.facts.destination.ip == .v4(0)
            ? "port \(self.hop.facts.destination.port)" : self.hop.facts.destination.description
    }

    private mutating func refuseAtListener(_ listener: Listener) {
        let policy = self.source.peerPolicy(self.hop.proxy.key)
        if !self.hop.isOutbound, self.hop.proxy.key.role == .sidecar, self.hop.peer == nil {
            self.add(.chain, "plain text is not taken on port \(self.hop.facts.destination.port)", policy?.source)
            self.stop(
                "Closed: mutual TLS is required, and the client does not speak it.",
                remedy: policy.map { Remedy.permissive($0) }
            )
            return
        }
        let name = self.hop.facts.serverName.map { " for server name \($0)" } ?? ""
        self.add(.chain, "no filter chain of \(listener.name) fits\(name)")
        self.stop("Closed: \(listener.name) has no filter chain for such a connection.")
    }

    private mutating func describe(_ chain: FilterChain, of listener: Listener) {
        let kind =
            switch chain.terminal {
            case .http: "HTTP"
            case .tcp: "bytes"
            }
        let service = self.hop.isOutbound ? self.declaredService : nil
        self.add(.chain, "\(chain.name.isEmpty ? "default" : chain.name): \(kind)", service?.source)
    }

    /// The service whose name or address was dialled.
    var declaredService: Service? {
        let namespace = self.hop.client.id.namespace
        let name = self.hop.proxy.lookUp(self.question.host)?.name ?? self.question.host
        return self.source.service(name, seenFrom: namespace)
    }

    private mutating func takeTLSOff(_ chain: FilterChain) {
        guard let tls = chain.tls else {
            if self.hop.facts.isTLS { self.add(.tls, "the client's TLS is passed on as it is") }
            return
        }
        let peer = self.hop.peer?.uris.first
        let how =
            tls.requiresClientCertificate
            ? "mutual TLS ends here\(peer.map { ", the client is \($0)" } ?? "")" : "TLS ends here"
        let policy = self.hop.proxy.key.role == .sidecar ? self.source.peerPolicy(self.hop.proxy.key)?.source : nil
        self.add(.tls, how, policy)
        self.hop.facts.isTLS = false
        self.hop.isHTTP = self.hop.isHTTP || !self.question.isTLS && self.question.isHTTP
    }

    private func clusterName(of proxy: TCPProxy) -> String {
        if proxy.usesServerNameAsCluster, let name = self.hop.facts.serverName { return name }
        return proxy.clusters.max { $0.weight < $1.weight }?.name ?? ""
    }

    /// The VirtualService behind a `tcp` or `tls` route, if one has a say.
    private func connectionRules() -> ObjectReference? {
        let rules = self.source.routeRules(
            self.declaredService?.host.text ?? self.question.host,
            gateways: self.gatewayNames,
            seenFrom: self.hop.proxy.key.workload.namespace
        )
        guard let rules, !(rules.tcp.isEmpty && rules.tls.isEmpty) else { return self.declaredService?.source }
        return rules.source
    }

    /// What VirtualServices call the place that the request is at.
    var gatewayNames: Set<String> {
        self.hop.proxy.key.role == .router
            ? Set(self.source.gateways(at: self.hop.proxy.key).map(\.qualifiedName)) : ["mesh"]
    }
}
