import MeshModel
import TrafficEngine

/// What opens the way or is missing on it, as far as the objects that are there tell.
extension Explainer {
    /// The Gateway that opens the port at a router; of several, the one with a server for the host.
    var openingGateway: ObjectReference? {
        let destination = self.hop.facts.destination
        let port = self.source.servicePort(of: destination)?.port
        func opens(_ server: GatewayRules.Server) -> Bool {
            server.port == port || server.port.number == destination.port
        }
        let opening = self.source.gateways(at: self.hop.proxy.key).filter { $0.servers.contains(where: opens) }
        let host = HostName(self.question.host)
        let named = opening.first { gateway in
            gateway.servers.contains { server in
                opens(server) && server.hosts.contains { pattern in host.map { pattern.name.covers($0) } ?? false }
            }
        }
        return (named ?? opening.first)?.source
    }

    /// A server for the port that a gateway does not listen on.
    var missingServer: String? {
        // A gateway of a service is told the port that the service has; it maps it to its own.
        let port = self.source.servicePort(of: self.hop.facts.destination)?.port
        return (port ?? Port(self.hop.facts.destination.port)).map {
            Remedy.gateway(self.question, at: self.hop, port: $0)
        }
    }

    /// A route for the host; where a VirtualService has some already, one behind those.
    var missingRoute: String? {
        let namespace = self.hop.proxy.key.workload.namespace
        let host = self.declaredService?.host.text ?? self.question.host
        let rules = self.source.routeRules(host, gateways: self.gatewayNames, seenFrom: namespace)
        if let rules { return Remedy.furtherRoute(self.question, to: host, of: rules.source) }
        return Remedy.virtualService(self.question, to: host, at: self.hop, gateways: self.gatewayNames.sorted())
    }

    /// The subset or the host that a route leads to and that nobody declared.
    func missingCluster(_ parts: ClusterParts) -> String? {
        let namespace = self.hop.proxy.key.workload.namespace
        if let service = self.source.service(parts.host, seenFrom: namespace) {
            if parts.subset.isEmpty { return nil }
            return Remedy.subset(parts.subset, of: parts.host, labels: ["version": parts.subset], in: service.namespace)
        }
        var missing = self.question
        missing.host = parts.host
        missing.port = parts.portNumber ?? missing.port
        missing.isTLS = missing.isTLS && self.hop.facts.isTLS
        return Remedy.serviceEntry(for: missing)
    }

    /// The subset with labels that a ready pod of the service has; `nil`: no pod is ready, or it is not up to labels.
    func missingLabels(_ parts: ClusterParts, _ rules: RulesForCluster) -> String? {
        guard let rule = rules.withSubset, let subset = rule.subsets.first(where: { $0.name == parts.subset }),
            let service = self.source.service(parts.host, seenFrom: self.hop.proxy.key.workload.namespace)
        else { return nil }
        let ready = self.snapshot.endpoints[ServiceKey(service)]?.first { endpoint in
            endpoint.isReady && subset.labels.keys.allSatisfy { endpoint.labels[$0] != nil }
        }
        guard let ready else { return nil }
        let labels = subset.labels.keys.map { ($0, ready.labels[$0] ?? "") }
        return Remedy.subset(
            subset.name,
            of: rule.host.text,
            labels: Dictionary(labels) { first, _ in first },
            in: rule.source.id.namespace,
            name: rule.source.id.name
        )
    }
}
