import MeshModel
import SwiftProtobuf
import XDSAPI

/// Resources for what reaches a workload.
struct InboundBuilder {
    let proxy: ProxyKey
    let snapshot: MeshSnapshot

    func resources() -> ProxyResources {
        var resources = ProxyResources()
        let factory = ClusterFactory(settings: self.snapshot.settings)
        let ports = self.ports()
        resources.clusters = ports.map { factory.toWorkload(named: ResourceName.inboundCluster(port: $0.port)) }
        resources.clusters.append(factory.toWorkload(named: ResourceName.inboundPassthrough))
        resources.listeners = [self.listener(ports)]
        resources.sort()
        return resources
    }

    /// A port of the workload that a service leads to.
    private struct WorkloadPort {
        var port: Port
        var isHTTP: Bool
    }

    /// Ports of the workload, in order; where services disagree on the protocol, the oldest is right.
    private func ports() -> [WorkloadPort] {
        var found: [Port: WorkloadPort] = [:]
        for service in self.snapshot.services {
            for endpoint in self.snapshot.endpoints[ServiceKey(service), default: []] where self.isOwn(endpoint) {
                guard let port = service.ports.first(where: { $0.name == endpoint.servicePortName }),
                    port.applicationProtocol != .udp, found[endpoint.port] == nil
                else { continue }
                // A port of unknown protocol is forwarded as bytes: to look at the first ones would make clients
                // of server-first protocols wait, and inbound nothing is chosen by host.
                found[endpoint.port] = WorkloadPort(port: endpoint.port, isHTTP: port.applicationProtocol.isHTTP)
            }
        }
        return found.values.sorted { $0.port < $1.port }
    }

    private func isOwn(_ endpoint: Endpoint) -> Bool {
        endpoint.workload == self.proxy.workload || endpoint.address == .ip(self.proxy.address)
    }

    private func listener(_ ports: [WorkloadPort]) -> Envoy_Config_Listener_V3_Listener {
        let filters = FilterFactory(settings: self.snapshot.settings)
        var draft = ListenerDraft(
            name: ResourceName.virtualInbound,
            address: "0.0.0.0",
            port: MeshPorts.inbound,
            direction: .inbound,
            settings: self.snapshot.settings
        )
        draft.restoreDestination()
        // Dialling the proxy's own port would come back here for ever (facts #62).
        draft.add("virtualInbound-blackhole", port: MeshPorts.inbound, filters.tcp(to: ResourceName.blackHole))
        for port in ports where port.port.number != MeshPorts.inbound {
            let cluster = ResourceName.inboundCluster(port: port.port)
            draft.add(
                ResourceName.listener(port: port.port),
                port: port.port.number,
                port.isHTTP
                    ? filters.http(
                        statPrefix: "inbound_0.0.0.0_\(port.port)",
                        routes: .inline(Self.routes(to: cluster, port.port))
                    ) : filters.tcp(to: cluster)
            )
        }
        draft.setDefault("virtualInbound-passthrough", filters.tcp(to: ResourceName.inboundPassthrough))
        return draft.listener
    }

    private static func routes(to cluster: String, _ port: Port) -> Envoy_Config_Route_V3_RouteConfiguration {
        .with {
            $0.name = cluster
            $0.validateClusters = Google_Protobuf_BoolValue(false)
            $0.virtualHosts = [
                .with {
                    $0.name = "inbound|http|\(port)"
                    $0.domains = ["*"]
                    $0.routes = [
                        .with {
                            $0.name = "default"
                            $0.match.prefix = "/"
                            $0.route.cluster = cluster
                            $0.route.timeout = Google_Protobuf_Duration(seconds: 0)
                        }
                    ]
                }
            ]
        }
    }
}
