import MeshModel
import TrafficEngine

extension Explainer {
    /// Finds the route of a request and follows it.
    mutating func route(_ manager: HTTPConnectionManager) -> Hop? {
        let table: RouteTable?
        switch manager.routes {
        case .inline(let inline): table = inline
        case .named(let name): table = self.hop.proxy.state.routeTables[name]
        }
        guard let table else {
            self.add(.route, "no routes have been made for this port")
            self.stop("404 NR: no routes for this port.")
            return nil
        }
        let found = self.request.withView { view in (table.virtualHost(view), table.route(view)) }
        guard let virtualHost = found.0, let route = found.1 else {
            self.add(.route, "no virtual host or route of \(table.name) fits \(self.authority)")
            self.stop("404 NR: no route for \(self.authority).", remedy: self.missingRoute)
            return nil
        }
        let place = "virtual host \(virtualHost.name), route \(route.name.isEmpty ? "without a name" : route.name)"
        switch route.action {
        case .respond(let status, _):
            self.add(.route, "\(place): answered with \(status)")
            self.answered(status, by: virtualHost)
            return nil
        case .redirect(let redirect):
            self.add(.route, "\(place): redirect (\(redirect.status))", self.rules(for: virtualHost))
            self.arrive("\(redirect.status): the client is sent elsewhere.")
            return nil
        case .forward(let forward):
            let target = forward.clusters.max { $0.weight < $1.weight }
            let name = target?.name ?? ""
            let share =
                forward.clusters.count > 1
                ? " (one of \(forward.clusters.count) by weight: "
                    + forward.clusters.map { "\($0.name) \($0.weight)" }.joined(separator: ", ") + ")" : ""
            self.add(.route, "\(place): to \(name)\(share)", self.rules(for: virtualHost))
            return self.leave(by: name)
        }
    }

    private mutating func answered(_ status: Int, by virtualHost: VirtualHost) {
        guard virtualHost.name == "block_all" else {
            self.arrive("\(status): the proxy answers by itself, as its routes say.")
            return
        }
        self.stopUnknown("Blocked with \(status)", self.authority)
    }

    private func rules(for virtualHost: VirtualHost) -> ObjectReference? {
        let namespace = self.hop.proxy.key.workload.namespace
        let host = self.hop.isOutbound ? self.declaredService?.host.text ?? self.authority : self.authority
        if self.hop.isOutbound || self.hop.proxy.key.role == .router {
            let rules = self.source.routeRules(host, gateways: self.gatewayNames, seenFrom: namespace)
            if let rules, !rules.http.isEmpty { return rules.source }
        }
        return self.hop.isOutbound ? self.declaredService?.source : nil
    }

    /// The host as a request names it, with a port that is not the usual one.
    var authority: String {
        let isUsual = self.question.port.number == (self.question.isTLS ? 443 : 80)
        return isUsual ? self.question.host : "\(self.question.host):\(self.question.port)"
    }

    /// The request's head, as a proxy would have received it.
    var request: OwnedRequest {
        OwnedRequest(
            method: self.question.method,
            target: self.question.target,
            authority: self.authority,
            headers: self.question.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            isSecure: self.question.isTLS
        )
    }

    // MARK: Leaving a proxy

    /// Goes on to an endpoint of a cluster.
    mutating func leave(by name: String) -> Hop? {
        guard let cluster = self.hop.proxy.cluster(named: name) else {
            self.add(.cluster, "there is no cluster \(name)")
            self.stop(
                "503 NC: the route leads to \(name), which does not exist; is the subset or host spelled right?",
                remedy: ClusterParts(name).flatMap { self.missingCluster($0) }
            )
            return nil
        }
        let parts = ClusterParts(name)
        let rules = RulesForCluster(
            parts.flatMap { HostName($0.host) }.map {
                self.source.destinationPolicies($0, client: self.hop.proxy.key.workload.namespace)
            } ?? [],
            of: parts
        )
        switch cluster.discovery {
        case .endpoints(let endpoints):
            guard !endpoints.isEmpty else { return self.leaveNowhere(name, parts, rules) }
            self.add(.cluster, "\(name): \(Self.count(endpoints.count, "endpoint"))", rules.deciding)
            guard let endpoint = endpoints.first(where: \.isHealthy) ?? endpoints.first else { return nil }
            if !self.hop.isOutbound, self.hop.proxy.key.role == .sidecar {
                self.arriveAtEntrance(endpoint.address)
                return nil
            }
            let tls = self.transport(cluster, endpoint.transport, rules)
            return self.arrive(at: endpoint.address, tls: tls, more: endpoints.count - 1)
        case .dns(let names, _, _):
            let shown = names.map { "\($0.host):\($0.port)" }.joined(separator: ", ")
            self.add(.cluster, "\(name): the proxy looks up \(shown)", rules.deciding)
            _ = self.transport(cluster, names.first?.transport ?? 0, rules)
            self.add(.endpoint, "what \(shown) stands for at that moment")
            self.arrive("Allowed: it leaves the mesh at \(self.hop.proxy.title) for \(shown).")
            return nil
        case .originalDestination:
            self.add(.cluster, "\(name): to the address that was dialled", rules.deciding)
            let tls = self.transport(cluster, 0, rules)
            if !self.hop.isOutbound, self.hop.proxy.key.role == .sidecar {
                self.add(.endpoint, "the application, port \(self.hop.facts.destination.port)")
                self.arrive(
                    "Allowed: it reaches \(self.hop.proxy.key.workload), port \(self.hop.facts.destination.port)."
                )
                return nil
            }
            return self.arrive(at: self.hop.facts.destination, tls: tls, more: 0)
        }
    }

    private mutating func leaveNowhere(_ name: String, _ parts: ClusterParts?, _ rules: RulesForCluster) -> Hop? {
        if name == "BlackHoleCluster" {
            self.add(.cluster, "\(name): it has no endpoints, on purpose")
            self.stopUnknown(
                "Blocked",
                "\(self.question.host) on port \(self.question.port)",
                " The connection is accepted and closed."
            )
            return nil
        }
        self.add(.cluster, "\(name): no endpoint is ready", rules.deciding)
        let subset = parts.flatMap { $0.subset.isEmpty ? nil : " with the labels of subset \($0.subset)" } ?? ""
        self.stop(
            "503 UH: no ready pod\(subset) stands behind \(parts?.host ?? name).",
            remedy: parts.flatMap { self.missingLabels($0, rules) }
        )
        return nil
    }

    private mutating func transport(_ cluster: Cluster, _ index: Int, _ rules: RulesForCluster) -> ClientTLS? {
        let tls = cluster.transports.indices.contains(index) ? cluster.transports[index] : nil
        guard let tls else {
            self.add(.tls, self.hop.facts.isTLS ? "none added to the client's own" : "none")
            return nil
        }
        let isMesh = tls.certificate == .secret(TLSSecret.ownCertificate)
        let name = tls.serverName.map { ", server name \($0)" } ?? ""
        let expects = tls.validation.names.map { "\($0.match)" }.joined(separator: ", ")
        self.add(
            .tls,
            "\(isMesh ? "mutual TLS with the identity of the mesh" : tls.certificate == nil ? "TLS" : "mutual TLS")\(name)"
                + (expects.isEmpty ? "" : "; the server must be \(expects)"),
            rules.securing
        )
        return tls
    }

    /// The connection comes to an address: of a pod with a proxy, of one without, or of somebody else.
    private mutating func arrive(at address: NetworkAddress, tls: ClientTLS?, more: Int) -> Hop? {
        let others = more > 0 ? ", or \(Self.count(more, "other"))" : ""
        guard let workload = self.snapshot.workloads[address.ip] else {
            let shown = address.ip == .v4(0) ? "the address that was dialled" : address.description
            self.add(.endpoint, "\(shown)\(others), no pod of this mesh")
            self.arrive("Allowed: it leaves the mesh at \(self.hop.proxy.title) for \(shown).")
            return nil
        }
        self.add(.endpoint, "\(address), \(workload.id)\(others)")
        guard let key = self.source.proxy(of: workload) else {
            self.arrive("Allowed: it reaches \(workload.id), which has no proxy.")
            return nil
        }
        let isMesh = tls?.certificate == .secret(TLSSecret.ownCertificate)
        let sender = self.snapshot.workloads[self.hop.proxy.key.address] ?? self.hop.client
        var facts = ConnectionFacts(destination: address, source: sender.address)
        if let tls {
            facts.isTLS = true
            facts.serverName = tls.serverName
            facts.applicationProtocols = tls.applicationProtocols
        } else if self.hop.facts.isTLS {
            facts.isTLS = true
            facts.serverName = self.hop.facts.serverName
            facts.applicationProtocols = self.hop.facts.applicationProtocols
        } else if self.hop.isHTTP {
            facts.applicationProtocols = ["http/1.1"]
        }
        return Hop(
            proxy: ProxyView(key, in: self.snapshot),
            client: sender,
            facts: facts,
            isOutbound: false,
            isHTTP: self.hop.isHTTP,
            peer: isMesh ? self.source.identity(of: sender) : nil
        )
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

/// `outbound|443|subset|host`.
struct ClusterParts {
    let port: String
    let subset: String
    let host: String

    var portNumber: Port? { UInt16(self.port).flatMap { Port($0) } }

    init?(_ name: String) {
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else { return nil }
        (self.port, self.subset, self.host) = (parts[1], parts[2], parts[3])
    }
}
