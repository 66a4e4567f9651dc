import MeshModel
import SwiftProtobuf
import XDSAPI

/// Clusters of everything that a proxy may reach, and their endpoints.
struct OutboundClusters {
    private let scope: ProxyScope
    private let targets: [ClusterTarget]
    /// The policy engine is asked about, or told of, what leaves by the clusters.
    private let tellsServices: Bool

    init(scope: ProxyScope) {
        self.scope = scope
        self.tellsServices = !scope.settings.policyEngine.outbound(of: scope.key).isOff
        self.targets = Self.targets(scope)
    }

    func clusters() -> [Envoy_Config_Cluster_V3_Cluster] {
        let factory = ClusterFactory(settings: self.scope.settings)
        return self.targets.map { self.cluster($0, factory) } + [factory.blackHole, factory.passthrough]
    }

    /// Endpoint lists of clusters that receive them by EDS; `nil` asks for those of all services.
    func assignments(of services: Set<ServiceKey>?) -> [Envoy_Config_Endpoint_V3_ClusterLoadAssignment] {
        let own = self.targets.compactMap { target -> Envoy_Config_Endpoint_V3_ClusterLoadAssignment? in
            guard services?.contains(ServiceKey(target.service)) ?? true, case .endpoints = target.discovery else {
                return nil
            }
            return self.assignment(of: target)
        }
        switch self.scope.key.role {
        case .sidecar: return own
        case .router: return own + ServerNameClusters(scope: self.scope).assignments(of: services)
        }
    }

    private static func targets(_ scope: ProxyScope) -> [ClusterTarget] {
        var taken: Set<String> = []
        var targets: [ClusterTarget] = []
        for service in scope.destinations {
            let effective = scope.policy(for: service)
            for port in service.ports where port.applicationProtocol != .udp {
                let subsets: [DestinationPolicy.Subset?] = [nil] + effective.subsets
                for subset in subsets {
                    let target = ClusterTarget(
                        service: service,
                        port: port,
                        subset: subset,
                        policy: effective.policy(port: port.port, subset: subset)
                    )
                    // Hosts may repeat: the first to declare a port has it.
                    if taken.insert(target.name).inserted { targets.append(target) }
                }
            }
        }
        return targets
    }

    private func cluster(_ target: ClusterTarget, _ factory: ClusterFactory) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = factory.cluster(named: target.name, carrying: target.content)
        let contexts = self.contexts(of: target)
        factory.apply(
            target.policy,
            carrying: target.content,
            takesNameOfRequest: target.policy.tls.map(contexts.takesNameOfRequest) ?? false,
            verifiesNameOfRequest: target.policy.tls.map(contexts.verifiesNameOfRequest) ?? false,
            to: &cluster
        )
        self.setTLS(of: &cluster, target, contexts)
        self.setDiscovery(of: &cluster, target)
        if let activation = target.service.activation {
            ActivationMetadata.set(activation, on: &cluster)
            // However few pods are ready, those that are not are asked first.
            if self.tellsStartingPods(of: target.service) { cluster.commonLbConfig.healthyPanicThreshold = .init() }
        }
        if target.service.isReporter { ActivationMetadata.setReporter(on: &cluster) }
        if self.tellsServices {
            cluster.metadata.filterMetadata[Self.serviceMetadata] = Self.metadata(target.service)
        }
        if case .endpoints = target.discovery, target.ranking(self.scope.key).isWeighted {
            cluster.commonLbConfig.localityWeightedLbConfig = .init()
        }
        return cluster
    }

    /// Ours: what the policy engine is told of the service behind the cluster.
    static let serviceMetadata = "dev.lateen.service"

    private static func metadata(_ service: Service) -> Google_Protobuf_Struct {
        var attributes = Google_Protobuf_Struct()
        for (name, text) in ServiceAttributes.of(service) { attributes.fields[name] = .init(stringValue: text) }
        return .with {
            $0.fields["host"] = .init(stringValue: service.host.text)
            $0.fields["attributes"] = .init(structValue: attributes)
            // Nobody in front of it is of the mesh, so that quotas are charged where requests leave.
            $0.fields["external"] = .init(boolValue: service.isExternal)
        }
    }

    private func contexts(of target: ClusterTarget) -> ClientTLSContexts {
        ClientTLSContexts(
            settings: self.scope.settings,
            destination: ClientTLSContexts.Destination(
                host: target.service.host,
                port: target.port.port,
                subset: target.subset?.name ?? "",
                content: target.content,
                subjectAltNames: target.service.subjectAltNames,
                identities: self.identities(of: target)
            )
        )
    }

    private func identities(of target: ClusterTarget) -> ServiceIdentities {
        ServiceIdentities(
            self.scope.snapshot.endpoints[ServiceKey(target.service), default: []],
            of: target.service
        )
    }

    /// A DestinationRule has the last word; without one, endpoints that take mutual TLS get it, each for itself.
    private func setTLS(
        of cluster: inout Envoy_Config_Cluster_V3_Cluster,
        _ target: ClusterTarget,
        _ contexts: ClientTLSContexts
    ) {
        if let tls = target.policy.tls {
            if let socket = contexts.socket(tls) { cluster.transportSocket = socket }
            return
        }
        guard target.mayUseMesh(self.scope.settings) else { return }
        if case .originalDestination = target.discovery {
            // The proxy knows nothing of the address that was dialled, so all endpoints must be alike.
            if contexts.destination.identities.areAllOfMesh { cluster.transportSocket = contexts.automatic }
            return
        }
        cluster.transportSocketMatches = [
            .with {
                $0.name = "tlsMode-istio"
                $0.match = ClusterTarget.meshMark
                $0.transportSocket = contexts.automatic
            },
            .with {
                $0.name = "tlsMode-disabled"
                $0.match = Google_Protobuf_Struct()
                $0.transportSocket = .raw
            },
        ]
    }

    private func setDiscovery(of cluster: inout Envoy_Config_Cluster_V3_Cluster, _ target: ClusterTarget) {
        switch target.discovery {
        case .endpoints:
            cluster.type = .eds
            cluster.edsClusterConfig.edsConfig = .aggregated
        case .originalDestination:
            cluster.type = .originalDst
            cluster.lbPolicy = .clusterProvided
            cluster.lbConfig = nil
        case .dns(let roundRobin):
            cluster.loadAssignment = self.assignment(of: target)
            let count = cluster.loadAssignment.endpoints.reduce(0) { $0 + $1.lbEndpoints.count }
            // Envoy takes exactly one name for a cluster that keeps to one address.
            cluster.type = roundRobin && count == 1 ? .logicalDns : .strictDns
            cluster.dnsLookupFamily = .v4Only
            cluster.dnsRefreshRate = Google_Protobuf_Duration(seconds: 60)
            cluster.respectDnsTtl = true
        }
    }

    /// Others than those who ask them would send requests to them, or take a level of priority for a broken one.
    private func tellsStartingPods(of service: Service) -> Bool {
        self.scope.key.holdsRequests && service.activation?.asksPods == true
    }

    /// Those that are ready, and those that proxies ask themselves. One with a sidecar takes every connection, and one on
    /// another network cannot be asked.
    private func usableEndpoints(of service: Service) -> [Endpoint] {
        guard self.tellsStartingPods(of: service) else { return self.scope.readyEndpoints(of: service) }
        return self.scope.snapshot.endpoints[ServiceKey(service), default: []].filter {
            $0.isReady || ($0.isStarting && !$0.hasMeshIdentity && $0.cluster.isEmpty)
        }
    }

    private func assignment(of target: ClusterTarget) -> Envoy_Config_Endpoint_V3_ClusterLoadAssignment {
        let isLookedUp =
            if case .dns = target.service.resolution { true } else { false }
        let wanted = target.subset?.labels ?? [:]
        var endpoints = self.usableEndpoints(of: target.service).filter { endpoint in
            endpoint.servicePortName == target.port.name
                && wanted.allSatisfy { endpoint.labels[$0.key] == $0.value }
        }
        // A DNS entry without endpoints means its own host (facts #22).
        if isLookedUp, !target.service.host.isWildcard,
            self.scope.snapshot.endpoints[ServiceKey(target.service), default: []].isEmpty
        {
            endpoints = [
                Endpoint(address: .name(target.service.host), port: target.port.port, servicePortName: target.port.name)
            ]
        }
        let marksMesh = target.policy.tls == nil && target.mayUseMesh(self.scope.settings)
        let ranking = target.ranking(self.scope.key)
        let reachable = NetworkView(
            network: self.scope.key.network,
            clusterNetwork: self.scope.snapshot.network,
            gateways: self.scope.snapshot.networkGateways,
            speaksMesh: marksMesh || target.policy.tls?.mode == .istioMutual
        )
        .reachable(endpoints.filter { isLookedUp || $0.address.isNumeric }, ranking: ranking)
        let groups = EndpointGroups(reachable, ranking: ranking, marksMesh: marksMesh)
        return .with {
            $0.clusterName = target.name
            $0.endpoints = groups.messages
        }
    }
}

extension Endpoint.Address {
    fileprivate var isNumeric: Bool {
        switch self {
        case .ip: true
        case .name: false
        }
    }
}
