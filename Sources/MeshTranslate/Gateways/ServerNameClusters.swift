import MeshModel
import SwiftProtobuf
import XDSAPI

/// Clusters that are named like the server names by which other networks ask for them (`outbound_.443_._.host`).
///
/// The bytes that go there are TLS between sidecars already, so nothing is put on top.
struct ServerNameClusters {
    let scope: ProxyScope

    struct Target {
        /// Of the cluster, and what TLS asks for.
        var name: String
        /// The host, and its subset; the cluster has the endpoints of them that are on this network.
        var service: Service
        var port: ServicePort
        var subset: DestinationPolicy.Subset?
    }

    /// The targets that `servers` open: services of the mesh whose hosts theirs cover.
    func targets(of servers: [GatewayPlan.Server]) -> [Target] {
        self.targets { service in servers.contains { $0.hosts.contains { $0.name.covers(service.host) } } }
    }

    private func targets(isOpen: (Service) -> Bool) -> [Target] {
        var targets: [String: Target] = [:]
        for service in self.scope.services {
            // The way of others leads into the mesh and never out of it again.
            guard service.cluster.isEmpty, !service.isExternal, !service.isHeadless,
                case .endpoints = service.resolution,
                isOpen(service)
            else { continue }
            let subsets: [DestinationPolicy.Subset?] = [nil] + self.scope.policy(for: service).subsets
            for port in service.ports where port.applicationProtocol != .udp {
                for subset in subsets {
                    let name = ResourceName.serverNameCluster(
                        service.host,
                        port: port.port,
                        subset: subset?.name ?? ""
                    )
                    targets[name] = Target(name: name, service: service, port: port, subset: subset)
                }
            }
        }
        return targets.values.sorted { $0.name < $1.name }
    }

    /// What the clusters lead to. Only endpoints of this network: what came from another does not go on to a third, or
    /// back. And only such that take mutual TLS: the client speaks nothing else. `nil` asks for those of all services.
    func assignments(of services: Set<ServiceKey>?) -> [Envoy_Config_Endpoint_V3_ClusterLoadAssignment] {
        let gateways = self.scope.snapshot.gateways.flatMap(\.servers).filter { $0.tls?.mode == .autoPassthrough }
        guard !gateways.isEmpty else { return [] }
        let targets = self.targets { service in
            (services?.contains(ServiceKey(service)) ?? true)
                && gateways.contains { $0.hosts.contains { $0.name.covers(service.host) } }
        }
        let ranking = LocalityRanking(client: Locality(), labels: [:], policy: nil, canFailOver: false)
        return targets.map { target in
            let wanted = target.subset?.labels ?? [:]
            let endpoints = self.scope.readyEndpoints(of: target.service).filter { endpoint in
                endpoint.servicePortName == target.port.name && endpoint.hasMeshIdentity && endpoint.cluster.isEmpty
                    && (endpoint.network.isEmpty || endpoint.network == self.scope.snapshot.network)
                    && wanted.allSatisfy { endpoint.labels[$0.key] == $0.value }
            }
            return .with {
                $0.clusterName = target.name
                $0.endpoints = EndpointGroups(endpoints, ranking: ranking, marksMesh: false).messages
            }
        }
    }

    func clusters(for servers: [GatewayPlan.Server]) -> [Envoy_Config_Cluster_V3_Cluster] {
        let factory = ClusterFactory(settings: self.scope.settings)
        return self.targets(of: servers).map { target in
            var cluster = factory.cluster(named: target.name, protocol: .tcp)
            cluster.type = .eds
            cluster.edsClusterConfig.edsConfig = .aggregated
            return cluster
        }
    }
}
