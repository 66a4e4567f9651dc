import MeshModel
import SwiftProtobuf
import XDSAPI

/// Clusters of everything that a proxy may reach, and their endpoints.
struct OutboundClusters {
    private let scope: ProxyScope
    private let targets: [Target]

    init(scope: ProxyScope) {
        self.scope = scope
        self.targets = Self.targets(scope)
    }

    /// One cluster that traffic can be sent to.
    private struct Target {
        var service: Service
        var port: ServicePort
        var subset: DestinationPolicy.Subset?
        var policy: TrafficPolicy

        var name: String {
            ResourceName.outboundCluster(self.service.host, port: self.port.port, subset: self.subset?.name ?? "")
        }
    }

    func clusters() -> [Envoy_Config_Cluster_V3_Cluster] {
        let factory = ClusterFactory(settings: self.scope.settings)
        let declared = self.targets.map { target -> Envoy_Config_Cluster_V3_Cluster in
            var cluster = factory.cluster(named: target.name, protocol: target.port.applicationProtocol)
            factory.apply(target.policy, to: &cluster)
            self.setDiscovery(of: &cluster, target)
            return cluster
        }
        return declared + [factory.blackHole, factory.passthrough]
    }

    /// Endpoint lists of clusters that receive them by EDS; `nil` asks for those of all services.
    func assignments(of services: Set<ServiceKey>?) -> [Envoy_Config_Endpoint_V3_ClusterLoadAssignment] {
        self.targets.compactMap { target in
            guard services?.contains(ServiceKey(target.service)) ?? true,
                case .endpoints = discovery(of: target.service, target.policy)
            else { return nil }
            return self.assignment(of: target)
        }
    }

    private static func targets(_ scope: ProxyScope) -> [Target] {
        var taken: Set<String> = []
        var targets: [Target] = []
        for service in scope.services {
            let effective = scope.policy(for: service)
            for port in service.ports where port.applicationProtocol != .udp {
                let subsets: [DestinationPolicy.Subset?] = [nil] + effective.subsets
                for subset in subsets {
                    let target = Target(
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

    private func setDiscovery(of cluster: inout Envoy_Config_Cluster_V3_Cluster, _ target: Target) {
        switch discovery(of: target.service, target.policy) {
        case .endpoints:
            cluster.type = .eds
            cluster.edsClusterConfig.edsConfig = .aggregated
        case .originalDestination:
            cluster.type = .originalDst
            cluster.lbPolicy = .clusterProvided
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

    private func assignment(of target: Target) -> Envoy_Config_Endpoint_V3_ClusterLoadAssignment {
        let isLookedUp =
            if case .dns = target.service.resolution { true } else { false }
        let wanted = target.subset?.labels ?? [:]
        var endpoints = self.scope.readyEndpoints(of: target.service).filter { endpoint in
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
        let members = endpoints.compactMap { member($0, allowsNames: isLookedUp) }
            .sorted { ($0.address, $0.port) < ($1.address, $1.port) }
        return .with {
            $0.clusterName = target.name
            guard !members.isEmpty else { return }
            $0.endpoints = [.with { $0.lbEndpoints = members.map(\.message) }]
        }
    }
}

/// How a proxy finds the addresses behind a service.
private func discovery(of service: Service, _ policy: TrafficPolicy) -> Resolution {
    // The client of a headless service has picked the endpoint itself when it looked up the name.
    if service.isHeadless || policy.loadBalancing == .passthrough { return .originalDestination }
    return service.resolution
}

private struct Member {
    var address: String
    var port: UInt32
    var weight: UInt32

    var message: Envoy_Config_Endpoint_V3_LbEndpoint {
        .with {
            $0.endpoint.address.socketAddress.address = self.address
            $0.endpoint.address.socketAddress.portValue = self.port
            $0.loadBalancingWeight = Google_Protobuf_UInt32Value(max(1, self.weight))
        }
    }
}

/// `nil` for a name in a list that only holds addresses.
private func member(_ endpoint: Endpoint, allowsNames: Bool) -> Member? {
    switch endpoint.address {
    case .ip(let ip):
        Member(address: ip.description, port: UInt32(endpoint.port.number), weight: endpoint.weight)
    case .name(let name):
        allowsNames ? Member(address: name.text, port: UInt32(endpoint.port.number), weight: endpoint.weight) : nil
    }
}
