import KubernetesAPI
import MeshModel

/// One service for each host, whatever clusters have it: the local one says ports and address, endpoints come from all.
struct ServiceMerge {
    private let local: MeshObjects
    private let join: EndpointJoin
    private let remotes: [(cluster: RemoteCluster, join: EndpointJoin)]

    init(_ local: MeshObjects, remotes: [RemoteCluster], join: EndpointJoin) {
        self.local = local
        self.join = join
        self.remotes = remotes.sorted { $0.name < $1.name }.map { ($0, EndpointJoin(objects: $0.objects)) }
    }

    // MARK: Services

    /// Services that other clusters alone have, each with an address that means nothing else here; `written` are the
    /// local ones, from Services and ServiceEntries.
    func services(besides written: [MeshModel.Service]) -> [MeshModel.Service] {
        var known = Set(written.lazy.filter(\.isKubernetes).map(\.host))
        var found: [MeshModel.Service] = []
        for (cluster, _) in self.remotes {
            for (key, facts) in cluster.objects.services.sorted(by: { $0.key < $1.key }) {
                guard let facts = facts.value, self.isShared(facts.service, key),
                    known.insert(facts.service.host).inserted
                else { continue }
                var service = facts.service
                service.cluster = cluster.name
                found.append(service)
            }
        }
        let addresses = RemoteAddresses(
            services: written.flatMap(\.addresses),
            pods: self.local.index.podAddresses,
            block: self.local.virtualAddresses.remoteV4
        )
        return addresses.settled(found)
    }

    /// Whether a service of another cluster alone has an address that a pod here has come to have.
    ///
    /// When that pod goes, the service keeps its other address until services are settled again.
    func isTaken(anyOf services: [MeshModel.Service]) -> Bool {
        if self.remotes.isEmpty { return false }
        return services.contains { service in
            !service.cluster.isEmpty && service.addresses.contains { !self.local.index.pods(at: $0.network).isEmpty }
        }
    }

    /// Whether other clusters' endpoints count for a service.
    ///
    /// A headless service's clients dial its pods, which are on another network; an ExternalName has none; and each
    /// cluster has an API server and a DNS of its own.
    private func isShared(_ service: MeshModel.Service, _ key: ObjectKey) -> Bool {
        guard !service.isHeadless, service.alias == nil else { return false }
        if key.namespace == "kube-system" || (key.namespace == "default" && key.name == "kubernetes") { return false }
        return !self.local.settings.clusterLocalHosts.contains { $0 == service.host || $0.covers(service.host) }
    }

    // MARK: Endpoints

    /// Endpoints of a service in all clusters, the local ones first; `nil` if no cluster has it.
    func endpoints(of key: ServiceKey) -> [Endpoint]? {
        let own = self.join.endpoints(of: key)
        guard key.source.kind == MeshKind.service.rawValue, !self.remotes.isEmpty else { return own }
        let object = ObjectKey(namespace: key.source.id.namespace, name: key.source.id.name)
        let service = self.local.services[object]?.value?.service
        if let service, !self.isShared(service, object) { return own }
        var isKnown = own != nil
        var result = own ?? []
        for (cluster, join) in self.remotes {
            guard let facts = cluster.objects.services[object]?.value, self.isShared(facts.service, object) else {
                continue
            }
            isKnown = true
            // A gateway finds the service by its port, so the numbers must agree.
            let ports = Set((service ?? facts.service).ports.map { PortName(name: $0.name, port: $0.port) })
            let names = Set(
                facts.service.ports.filter { ports.contains(PortName(name: $0.name, port: $0.port)) }.map(\.name)
            )
            for var endpoint in join.endpoints(of: facts, key: object) where names.contains(endpoint.servicePortName) {
                endpoint.cluster = cluster.name
                if endpoint.network.isEmpty { endpoint.network = cluster.objects.network }
                result.append(endpoint)
            }
        }
        return isKnown ? result : nil
    }

    private struct PortName: Hashable {
        var name: String
        var port: Port
    }

    // MARK: Networks

    /// The gateways of each network, as Services of any cluster say.
    var gateways: [String: [NetworkGateway]] {
        var found: [String: Set<NetworkGateway>] = [:]
        for objects in [self.local] + self.remotes.map(\.cluster.objects) {
            for facts in objects.services.values.compactMap(\.value) {
                guard let network = facts.gatewayNetwork, !facts.gateways.isEmpty else { continue }
                found[network, default: []].formUnion(facts.gateways)
            }
        }
        return found.mapValues { $0.sorted() }
    }

    /// Networks that nobody can get to, and services of two clusters that do not fit together.
    func diagnoses(gateways: [String: [NetworkGateway]]) -> [Diagnosis] {
        self.remotes.flatMap { cluster, _ -> [Diagnosis] in
            var findings = Findings(
                ObjectReference(
                    kind: "RemoteCluster",
                    id: ObjectID(namespace: self.local.rootNamespace, name: cluster.name)
                )
            )
            let network = cluster.objects.network
            if !network.isEmpty, network != self.local.network, gateways[network] == nil {
                findings.warning(
                    "",
                    "its network `\(network)` has no gateway yet, so its endpoints get no traffic: it needs a Service "
                        + "with the label `topology.istio.io/network: \(network)`, an external address and port 15443"
                )
            }
            for (key, facts) in cluster.objects.services.sorted(by: { $0.key < $1.key }) {
                guard let theirs = facts.value?.service, let ours = self.local.services[key]?.value?.service,
                    self.isShared(theirs, key), self.isShared(ours, key)
                else { continue }
                for port in theirs.ports {
                    guard let same = ours.ports.first(where: { $0.name == port.name }), same.port != port.port else {
                        continue
                    }
                    findings.warning(
                        "",
                        "its Service \(key) has port `\(port.name)` at \(port.port), ours at \(same.port): its endpoints "
                            + "get no traffic from here"
                    )
                }
            }
            return findings.diagnoses
        }
    }
}
