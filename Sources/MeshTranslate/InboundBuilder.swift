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
        resources.clusters = ports.map { port in
            var cluster = self.cluster(to: port, factory)
            // What is no request cannot be counted.
            if let activation = self.activation, port.applicationProtocol.isHTTP {
                ActivationMetadata.set(activation, on: &cluster)
            }
            return cluster
        }
        resources.clusters.append(factory.toWorkload(named: ResourceName.inboundPassthrough, protocol: .unknown))
        resources.listeners = [self.listener(ports)]
        resources.sort()
        return resources
    }

    /// The revision that the pod belongs to, if its proxy is to count requests, and can.
    private var activation: RevisionActivation? {
        guard self.proxy.holdsRequests, let workload = self.snapshot.workloads[self.proxy.address],
            workload.id == self.proxy.workload
        else { return nil }
        return workload.activation
    }

    /// A port of the workload that a service leads to, or that its Sidecar names.
    private typealias WorkloadPort = SidecarRules.Entrance

    private func cluster(to port: WorkloadPort, _ factory: ClusterFactory) -> Envoy_Config_Cluster_V3_Cluster {
        let name = ResourceName.inboundCluster(port: port.port)
        let word = port.applicationProtocol
        switch port.target {
        case .dialled: return factory.toWorkload(named: name, protocol: word)
        case .loopback(let target, let isIPv6):
            let loopback: IPAddress = isIPv6 ? .v6(high: 0, low: 1) : .v4(0x7f00_0001)
            return factory.toWorkload(named: name, protocol: word, at: loopback, port: target)
        case .workload(let target):
            return factory.toWorkload(named: name, protocol: word, at: self.proxy.address, port: target)
        }
    }

    /// Ports of the workload, in order: those of its Sidecar if that names any, else those that services lead to; where
    /// services disagree on the protocol, the oldest is right.
    private func ports() -> [WorkloadPort] {
        if let entrances = self.snapshot.sidecar(for: self.proxy)?.entrances, !entrances.isEmpty {
            return entrances.sorted { $0.port < $1.port }
        }
        var found: [Port: WorkloadPort] = [:]
        for service in self.snapshot.services {
            for endpoint in self.snapshot.endpoints[ServiceKey(service), default: []] where self.isOwn(endpoint) {
                guard let port = service.ports.first(where: { $0.name == endpoint.servicePortName }),
                    port.applicationProtocol != .udp, found[endpoint.port] == nil
                else { continue }
                found[endpoint.port] = WorkloadPort(
                    port: endpoint.port,
                    applicationProtocol: port.applicationProtocol
                )
            }
        }
        return found.values.sorted { $0.port < $1.port }
    }

    private func isOwn(_ endpoint: Endpoint) -> Bool {
        endpoint.cluster.isEmpty
            && (endpoint.workload == self.proxy.workload || endpoint.address == .ip(self.proxy.address))
    }

    /// How long a plain connection to a permissive port waits for its first bytes, unless the mesh says otherwise.
    ///
    /// Whether a connection is TLS shows in the client's first bytes, and a client of MySQL or SMTP without a proxy
    /// sends none before the server has spoken (facts #56). Istio lets it wait for ever, so such servers need
    /// `DISABLE` or `STRICT` there; here it waits this long and is then passed on as plain text. A client with a proxy
    /// opens TLS at once and never waits, and the limit is ample for a hello that is late. For ports that take
    /// plain text alone nothing is looked at.
    private static let inspectionTimeout: Duration = .seconds(1)

    private func listener(_ ports: [WorkloadPort]) -> Envoy_Config_Listener_V3_Listener {
        let settings = self.snapshot.settings
        let filters = FilterFactory(settings: settings)
        let modes = PeerModes(
            self.snapshot.peerPolicies,
            namespace: self.proxy.workload.namespace,
            labels: self.proxy.labels,
            root: settings.rootNamespace
        )
        var draft = ListenerDraft(
            name: ResourceName.virtualInbound,
            address: "0.0.0.0",
            port: MeshPorts.inbound,
            direction: .inbound,
            settings: settings,
            inspectionTimeout: settings.protocolDetectionTimeout == .zero
                ? Self.inspectionTimeout : settings.protocolDetectionTimeout
        )
        draft.restoreDestination()
        // Dialling the proxy's own port would come back here for ever (facts #62).
        draft.add("virtualInbound-blackhole", port: MeshPorts.inbound, filters.tcp(to: ResourceName.blackHole))
        for entrance in self.entrances(ports, modes) { self.add(entrance, filters, to: &draft) }
        draft.leaveUninspected(Self.uninspected(self.entrances(ports, modes), modes))
        return draft.listener
    }

    /// A port that connections come in by, with what becomes of them.
    private struct Entrance {
        var name: String
        /// `nil`: all that have no entrance of their own.
        var port: Port?
        var mode: MutualTLSMode
        var isHTTP: Bool
        var cluster: String
    }

    /// Entrances in order of ports, the one for undeclared ports last.
    ///
    /// That one is a chain like the others and no default chain: a default would also take what a strict port of
    /// the others has refused.
    private func entrances(_ ports: [WorkloadPort], _ modes: PeerModes) -> [Entrance] {
        let own = MeshPorts.inbound
        let declared = ports.filter { $0.port.number != own }.map {
            Entrance(
                name: ResourceName.listener(port: $0.port),
                port: $0.port,
                mode: modes.mode(of: $0.port),
                // A port of unknown protocol is forwarded as bytes: inbound nothing is chosen by host.
                isHTTP: $0.applicationProtocol.isHTTP,
                cluster: ResourceName.inboundCluster(port: $0.port)
            )
        }
        let known = Set(ports.map(\.port))
        // A policy for a port holds although no service leads there.
        let undeclared = modes.ports.filter { !known.contains($0.key) && $0.key.number != own }.map {
            Entrance(
                name: ResourceName.listener(port: $0.key),
                port: $0.key,
                mode: $0.value,
                isHTTP: false,
                cluster: ResourceName.inboundPassthrough
            )
        }
        let rest = Entrance(
            name: "virtualInbound-passthrough",
            port: nil,
            mode: modes.workload,
            isHTTP: false,
            cluster: ResourceName.inboundPassthrough
        )
        return (declared + undeclared).sorted { ($0.port?.number ?? 0) < ($1.port?.number ?? 0) } + [rest]
    }

    private func add(_ entrance: Entrance, _ filters: FilterFactory, to draft: inout ListenerDraft) {
        let port = entrance.port?.number
        let filter =
            entrance.isHTTP
            ? filters.http(
                statPrefix: "inbound_\(entrance.name)",
                routes: .inline(Self.routes(to: entrance.cluster, entrance.port)),
                from: .mesh
            ) : filters.tcp(to: entrance.cluster)
        let tls = MeshTLS(settings: self.snapshot.settings).server(speaksHTTP: entrance.isHTTP)
        switch entrance.mode {
        case .disable: draft.add(entrance.name, port: port, filter)
        case .strict:
            // Whatever says it is TLS must shake hands as the mesh does; plain text finds no chain and is closed.
            draft.add("\(entrance.name)-mtls", port: port, transport: .tls(tls), filter)
        case .permissive:
            draft.add(
                "\(entrance.name)-mtls",
                port: port,
                transport: .tls(tls),
                applicationProtocols: MeshALPN.meshNames,
                filter
            )
            // TLS of the application's own: nobody here has its key.
            draft.add("\(entrance.name)-tls", port: port, transport: .undisturbedTLS, filters.tcp(to: entrance.cluster))
            draft.add(entrance.name, port: port, filter)
        }
    }

    private static func uninspected(_ entrances: [Entrance], _ modes: PeerModes) -> ListenerDraft.Uninspected {
        let plain = entrances.filter { $0.mode == .disable }.compactMap(\.port)
        let inspected = entrances.filter { $0.mode != .disable }.compactMap(\.port)
        return modes.workload == .disable ? .allBut(inspected) : .these(plain)
    }

    private static func routes(to cluster: String, _ port: Port?) -> Envoy_Config_Route_V3_RouteConfiguration {
        .with {
            $0.name = cluster
            $0.validateClusters = Google_Protobuf_BoolValue(false)
            $0.virtualHosts = [
                .with {
                    $0.name = "inbound|http|\(port.map(\.description) ?? "")"
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
