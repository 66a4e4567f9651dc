/// A Sidecar object, parsed: what the proxies of some workloads are told of the mesh.
package struct SidecarRules: Hashable, Sendable {
    /// Hosts that may be reached (`egress[].hosts`).
    package struct Import: Hashable, Sendable {
        package enum Namespace: Hashable, Sendable {
            case any
            /// `.`: that of the workload, also where the Sidecar is of the root namespace.
            case own
            case named(String)
        }

        package var namespace: Namespace
        /// A host, a wildcard, or `*` for all.
        package var host: HostName
        /// Only this port of the services (`egress[].port`).
        package var port: Port?

        package init(namespace: Namespace, host: HostName, port: Port? = nil) {
            self.namespace = namespace
            self.host = host
            self.port = port
        }

        func includes(_ namespace: String, for client: String) -> Bool {
            switch self.namespace {
            case .any: true
            case .own: namespace == client
            case .named(let name): namespace == name
            }
        }
    }

    /// A port that connections come in by (`ingress[]`).
    package struct Entrance: Hashable, Sendable {
        /// Where the application is (`defaultEndpoint`).
        package enum Target: Hashable, Sendable {
            /// At the address and port that were dialled.
            case dialled
            /// On the loopback address of this family.
            case loopback(Port, isIPv6: Bool)
            /// At the workload's own address.
            case workload(Port)
        }

        package var port: Port
        package var applicationProtocol: ApplicationProtocol
        package var target: Target

        package init(port: Port, applicationProtocol: ApplicationProtocol, target: Target = .dialled) {
            self.port = port
            self.applicationProtocol = applicationProtocol
            self.target = target
        }
    }

    package var source: ObjectReference
    package var createdAt: Int64
    /// Labels of the workloads; empty: all of the namespace, and in the root namespace all of the mesh.
    package var selector: [String: String]
    /// `nil`: everything that is exported to the namespace. Empty: nothing.
    package var imports: [Import]?
    /// Stands in for the mesh-wide setting.
    package var outboundPolicy: MeshSettings.OutboundPolicy?
    /// Stand in for the ports that Services name; empty: those.
    package var entrances: [Entrance] = []

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:],
        imports: [Import]? = nil,
        outboundPolicy: MeshSettings.OutboundPolicy? = nil
    ) {
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
        self.imports = imports
        self.outboundPolicy = outboundPolicy
    }
}

/// What a Sidecar lets the workloads of a namespace see, ready for many questions.
package struct SidecarScope: Sendable {
    private let client: String
    /// Imports of hosts by their whole name.
    private var exact: [HostName: [SidecarRules.Import]] = [:]
    private var wildcards: [SidecarRules.Import] = []
    private let hasImports: Bool

    package init(_ rules: SidecarRules, client: String) {
        self.client = client
        self.hasImports = rules.imports != nil
        for item in rules.imports ?? [] {
            if item.host.isWildcard {
                self.wildcards.append(item)
            } else {
                self.exact[item.host, default: []].append(item)
            }
        }
    }

    /// The service as far as it may be reached: with all its ports, with some, or not at all.
    ///
    /// A host that is imported by name does not bring along the wildcard that covers it: that would be more than was
    /// asked for.
    package func admitted(_ service: Service) -> Service? {
        guard self.hasImports else { return service }
        let candidates = (self.exact[service.host] ?? []) + self.wildcards.filter { $0.host.covers(service.host) }
        let matching = candidates.filter { $0.includes(service.namespace, for: self.client) }
        if matching.isEmpty { return nil }
        if matching.contains(where: { $0.port == nil }) { return service }
        var service = service
        service.ports.removeAll { port in !matching.contains { $0.port == port.port } }
        return service.ports.isEmpty ? nil : service
    }

    /// Whether a VirtualService is in force: it speaks of a host that is imported from its namespace, or of a wildcard
    /// above one.
    package func admits(_ rules: RouteRules) -> Bool {
        guard self.hasImports else { return true }
        return rules.hosts.contains { host in
            let above = host.isWildcard ? self.exact.values.joined().filter { host.covers($0.host) } : []
            let candidates =
                (self.exact[host] ?? []) + above
                + self.wildcards.filter { $0.host.covers(host) || host.covers($0.host) }
            return candidates.contains { $0.includes(rules.source.id.namespace, for: self.client) }
        }
    }
}

extension MeshSnapshot {
    /// The Sidecar for a proxy: one that selects the workload, else the one of its namespace, else the one of the root
    /// namespace; of several the oldest. Gateways have none.
    package func sidecar(for proxy: ProxyKey) -> SidecarRules? {
        guard proxy.role == .sidecar, !self.sidecars.isEmpty else { return nil }
        let namespace = proxy.workload.namespace
        let own = self.sidecars.filter { $0.source.id.namespace == namespace }
        let selecting = own.first { rules in
            !rules.selector.isEmpty && rules.selector.allSatisfy { proxy.labels[$0.key] == $0.value }
        }
        return selecting ?? own.first { $0.selector.isEmpty }
            ?? self.sidecars.first {
                $0.selector.isEmpty && $0.source.id.namespace == self.settings.rootNamespace
            }
    }
}
