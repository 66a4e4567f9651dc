package import SwiftProtobuf
package import TrafficEngine
internal import XDSAPI

/// A resource that was refused, for a NACK.
package struct ResourceError: Hashable, Sendable, CustomStringConvertible {
    /// The resource's name; empty if not even that could be read.
    package var resource: String
    package var findings: [Finding]

    package var description: String {
        let what = self.resource.isEmpty ? "a resource" : "\(self.resource)"
        return "\(what): " + self.findings.map(\.description).joined(separator: "; ")
    }
}

/// Turns xDS resources into a `ProxyState`, a response at a time.
///
/// A resource that did not change keeps its object, so that the data plane sees by identity what is new. A resource
/// that is wrong is refused alone: its last good version stays, and the others of the response are taken.
package struct StateBuilder: Sendable {
    private let workload: OwnWorkload?
    private var registry = ClusterRegistry()
    private var listeners = ResourceSet<Listener>()
    private var routes = ResourceSet<RouteTable>()
    private var clusters = ResourceSet<ClusterEntry>()
    private var endpoints = ResourceSet<[ListedEndpoint]>()
    private var secrets = ResourceSet<TLSSecret>()
    private var revision: UInt64 = 0
    /// What a listener did before it changed to name routes that are not here yet.
    private var lastReady: [String: Listener] = [:]

    private struct ClusterEntry: Sendable {
        var message: Envoy_Config_Cluster_V3_Cluster
        var cluster: Cluster
        /// The name of its endpoint list, if that comes by EDS.
        var endpointsName: String?
    }

    /// `workload`: whose proxy it is, where that matters.
    package init(workload: OwnWorkload? = nil) { self.workload = workload }

    /// All listeners (LDS, state of the world): those that are not among `resources` are gone.
    package mutating func setListeners(_ resources: [Google_Protobuf_Any], version: String) -> [ResourceError] {
        var registry = self.registry
        let workload = self.workload
        defer { self.registry = registry }
        return self.listeners.replace(resources, version: version) {
            (message: Envoy_Config_Listener_V3_Listener, findings: inout Findings) in
            ListenerBuilder.build(message, of: workload, at: "", &registry, &findings)
        }
    }

    /// All clusters (CDS, state of the world).
    package mutating func setClusters(_ resources: [Google_Protobuf_Any], version: String) -> [ResourceError] {
        var registry = self.registry
        let endpoints = self.endpoints
        defer { self.registry = registry }
        return self.clusters.replace(resources, version: version) {
            (message: Envoy_Config_Cluster_V3_Cluster, findings: inout Findings) in
            let builder = ClusterBuilder(message, at: "")
            let name = builder.endpointsName
            let known = name.flatMap { endpoints[$0] } ?? []
            let id = registry.id(of: message.name)
            return builder.build(id: id, endpoints: known, audits: true, &findings).map {
                ClusterEntry(message: message, cluster: $0, endpointsName: name)
            }
        }
    }

    /// Some or all of the route tables that were asked for (RDS); those not among `resources` stay.
    package mutating func setRoutes(_ resources: [Google_Protobuf_Any], version: String) -> [ResourceError] {
        var registry = self.registry
        defer { self.registry = registry }
        return self.routes.merge(resources, version: version) {
            (message: Envoy_Config_Route_V3_RouteConfiguration, findings: inout Findings) in
            findings.append(FieldAudit.findings(in: message, at: ""))
            return RouteTableBuilder.build(message, at: "", &registry, &findings)
        }
    }

    /// Some or all of the endpoint lists that were asked for (EDS); only the clusters that they belong to are made anew.
    package mutating func setEndpoints(_ resources: [Google_Protobuf_Any], version: String) -> [ResourceError] {
        let before = self.endpoints
        let errors = self.endpoints.merge(resources, version: version) {
            (message: Envoy_Config_Endpoint_V3_ClusterLoadAssignment, findings: inout Findings) in
            findings.append(FieldAudit.findings(in: message, at: ""))
            return EndpointBuilder.endpoints(message, at: "", &findings)
        }
        for name in self.clusters.names {
            guard let entry = self.clusters[name], let key = entry.endpointsName,
                let current = self.endpoints[key], current != before[key]
            else { continue }
            self.rebuild(entry, name, current)
        }
        return errors
    }

    /// Some or all of the secrets that were asked for (SDS).
    package mutating func setSecrets(_ resources: [Google_Protobuf_Any], version: String) -> [ResourceError] {
        self.secrets.merge(resources, version: version) {
            (message: Envoy_Extensions_TransportSockets_Tls_V3_Secret, findings: inout Findings) in
            SecretBuilder.build(message, &findings)
        }
    }

    private mutating func rebuild(_ entry: ClusterEntry, _ name: String, _ endpoints: [ListedEndpoint]) {
        var findings = Findings()
        let builder = ClusterBuilder(entry.message, at: "")
        guard let cluster = builder.build(id: entry.cluster.id, endpoints: endpoints, audits: false, &findings) else {
            return  // it was built before from the same message
        }
        var entry = entry
        entry.cluster = cluster
        self.clusters.update(name, entry)
    }

    /// Endpoint lists that the clusters need.
    package var endpointNames: [String] {
        self.clusters.names.compactMap { self.clusters[$0]?.endpointsName }.sorted()
    }

    /// Route tables that the listeners name.
    package var routeNames: [String] {
        Set(self.listeners.names.compactMap { self.listeners[$0] }.flatMap(\.routeNames)).sorted()
    }

    /// Secrets that listeners and clusters name. The workload's own identity is not among them: its keeper has it.
    package var secretNames: [String] {
        let listeners = self.listeners.names.compactMap { self.listeners[$0] }.flatMap(\.secretNames)
        let clusters = self.clusters.names.compactMap { self.clusters[$0] }.flatMap(\.cluster.secretNames)
        return Set(listeners + clusters).subtracting([TLSSecret.ownCertificate, TLSSecret.meshRoots]).sorted()
    }

    /// Whether everything that listeners and clusters refer to has come, well or not.
    package var isComplete: Bool {
        self.endpointNames.allSatisfy { self.endpoints.wasSeen($0) }
            && self.routeNames.allSatisfy { self.routes.wasSeen($0) }
            && self.secretNames.allSatisfy { self.secrets.wasSeen($0) }
    }

    /// What the proxy shall do now.
    ///
    /// A listener that names routes which have not come yet is not used: its earlier version goes on, if there was one.
    /// A listener whose secret has not come is used: it refuses TLS and answers all else.
    package mutating func makeState() -> ProxyState {
        self.revision += 1
        var ready: [String: Listener] = [:]
        var listeners: [Listener] = []
        for name in self.listeners.names {
            guard let current = self.listeners[name] else { continue }
            let isReady = current.routeNames.allSatisfy { self.routes[$0] != nil }
            guard let listener = isReady ? current : self.lastReady[name] else { continue }
            ready[name] = listener
            listeners.append(listener)
        }
        self.lastReady = ready
        self.forgetUnused()
        var clusters = [Cluster?](repeating: nil, count: self.registry.count)
        for name in self.clusters.names {
            guard let cluster = self.clusters[name]?.cluster else { continue }
            clusters[cluster.id.index] = cluster
        }
        return ProxyState(
            revision: self.revision,
            listeners: listeners,
            clusters: clusters,
            routeTables: self.routes.values,
            secrets: self.secrets.values
        )
    }

    /// Route tables, endpoint lists and secrets go when nothing refers to them any more.
    private mutating func forgetUnused() {
        let named = Set(self.routeNames).union(self.lastReady.values.flatMap(\.routeNames))
        self.routes.keep { named.contains($0) }
        let needed = Set(self.endpointNames)
        self.endpoints.keep { needed.contains($0) }
        let secret = Set(self.secretNames).union(self.lastReady.values.flatMap(\.secretNames))
        self.secrets.keep { secret.contains($0) }
    }

    /// The resources as they came, for `/config_dump`.
    package var received: ReceivedResources {
        ReceivedResources(
            listeners: self.listeners.received,
            clusters: self.clusters.received,
            routes: self.routes.received,
            endpoints: self.endpoints.received,
            secrets: self.secrets.received
        )
    }
}

extension Listener {
    /// Route tables that it names.
    var routeNames: [String] {
        (self.chains + [self.defaultChain].compactMap { $0 }).compactMap { chain in
            if case .http(let manager) = chain.terminal, case .named(let name) = manager.routes { name } else { nil }
        }
    }
}
