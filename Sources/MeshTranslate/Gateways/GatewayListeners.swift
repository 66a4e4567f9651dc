import MeshModel
import XDSAPI

/// Listeners of a gateway; unlike a sidecar's they are bound, and nothing but Gateways makes one.
struct GatewayListeners {
    private let scope: ProxyScope
    private let plan: GatewayPlan
    private let filters: FilterFactory
    private let contexts: ServerTLSContexts
    private let idle: [String: Duration]

    /// A stranger who says nothing holds a connection for nothing.
    private static let inspectionTimeout = Duration.seconds(15)

    init(scope: ProxyScope, plan: GatewayPlan) {
        self.scope = scope
        self.plan = plan
        self.filters = FilterFactory(settings: scope.settings)
        self.contexts = ServerTLSContexts(settings: scope.settings)
        self.idle = OutboundListeners.idleTimeouts(scope)
    }

    func listeners() -> [Envoy_Config_Listener_V3_Listener] {
        self.plan.entrances.sorted { $0.key < $1.key }.compactMap { socket, entrance in
            let name = socket.bind.map { ResourceName.listener($0, port: socket.port) }
            var draft = ListenerDraft(
                name: name ?? ResourceName.listener(port: socket.port),
                address: socket.bind?.description ?? "0.0.0.0",
                port: socket.port.number,
                direction: .outbound,
                settings: self.scope.settings,
                inspectionTimeout: Self.inspectionTimeout
            )
            switch entrance.opening {
            case .plainHTTP: self.addHTTP(socket, &draft)
            case .tls:
                var claimed: Set<HostName> = []
                for index in entrance.servers.indices {
                    // What another server names is its own, even if a wildcard here stands for it as well.
                    var others = entrance.servers
                    let server = others.remove(at: index)
                    let named = Set(others.flatMap(\.hosts).map(\.name))
                    var taken = claimed.union(named)
                    self.addTLS(server, socket, &taken, &draft)
                    claimed.formUnion(taken.subtracting(named))
                }
            case .bytes: self.addBytes(entrance.servers, &draft)
            }
            // Without rules for its connections there is nothing that a port could be open for.
            return draft.listener.filterChains.isEmpty ? nil : draft.listener
        }
    }

    private func addHTTP(_ socket: GatewayPlan.Socket, _ draft: inout ListenerDraft) {
        let routes = ResourceName.gatewayRoutes(port: socket.port, bind: socket.bind)
        let name = draft.listener.name
        draft.add(name, self.filters.http(statPrefix: "outbound_\(name)", routes: .named(routes), from: .anyone))
    }

    private func addTLS(
        _ server: GatewayPlan.Server,
        _ socket: GatewayPlan.Socket,
        _ taken: inout Set<HostName>,
        _ draft: inout ListenerDraft
    ) {
        guard let tls = server.server.tls else { return }
        switch tls.mode {
        case .passthrough: self.addPassthrough(server, &taken, &draft)
        case .autoPassthrough: self.addAutomaticPassthrough(server, &draft)
        case .simple, .mutual, .optionalMutual, .istioMutual:
            guard let routes = GatewayRoutes.name(of: server, at: socket) else {
                self.addTerminatedBytes(server, tls, &taken, &draft)
                return
            }
            draft.add(
                routes,
                serverNames: server.serverNames,
                transport: .tls(self.contexts.socket(tls, speaksHTTP: true)),
                self.filters.http(
                    statPrefix: "outbound_\(draft.listener.name)",
                    routes: .named(routes),
                    from: tls.mode == .simple ? .anyone : .certified
                )
            )
        }
    }

    /// TLS taken off, bytes passed on: `tcp` rules (facts #48).
    private func addTerminatedBytes(
        _ server: GatewayPlan.Server,
        _ tls: ServerTLSSettings,
        _ taken: inout Set<HostName>,
        _ draft: inout ListenerDraft
    ) {
        for rules in self.scope.routeRules(boundTo: server.gateway) {
            let names = server.names(of: rules).filter { !taken.contains($0) }
            let chains = self.chains(of: rules.tcp, server)
            if names.isEmpty || chains.isEmpty { continue }
            taken.formUnion(names)
            for chain in chains {
                draft.add(
                    chain.name,
                    prefixes: chain.prefixes,
                    serverNames: names.contains { $0.text == "*" } ? [] : names,
                    transport: .tls(self.contexts.socket(tls, speaksHTTP: false)),
                    self.tcp(chain.targets)
                )
            }
        }
    }

    /// TLS left on: `tls` rules, by server name.
    private func addPassthrough(
        _ server: GatewayPlan.Server,
        _ taken: inout Set<HostName>,
        _ draft: inout ListenerDraft
    ) {
        for rules in self.scope.routeRules(boundTo: server.gateway) where !server.names(of: rules).isEmpty {
            for rule in rules.tls {
                let targets = self.scope.targets(rule.destinations, server.server.port)
                for match in rule.matches where self.scope.admits(match, at: server.place, server.server.port) {
                    let asked = server.names(among: match.serverNames, namespace: rules.source.id.namespace)
                    let names = asked.filter { !taken.contains($0) }
                    if names.isEmpty { continue }
                    // What is matched by address as well leaves the name to others.
                    if match.destinationSubnets.isEmpty { taken.formUnion(names) }
                    draft.add(
                        targets.first?.cluster ?? ResourceName.blackHole,
                        prefixes: match.destinationSubnets,
                        serverNames: names.contains { $0.text == "*" } ? [] : names,
                        transport: .undisturbedTLS,
                        self.tcp(targets)
                    )
                }
            }
        }
    }

    /// TLS left on, to the cluster that the server name spells. Only the names of clusters that exist get in.
    private func addAutomaticPassthrough(_ server: GatewayPlan.Server, _ draft: inout ListenerDraft) {
        for target in ServerNameClusters(scope: self.scope).targets(of: [server]) {
            guard let name = HostName(target.name) else { continue }
            draft.add(
                target.name,
                serverNames: [name],
                transport: .undisturbedTLS,
                self.filters.tcp(to: target.name)
            )
        }
    }

    private func addBytes(_ servers: [GatewayPlan.Server], _ draft: inout ListenerDraft) {
        for server in servers {
            for rules in self.scope.routeRules(boundTo: server.gateway) where !server.names(of: rules).isEmpty {
                for chain in self.chains(of: rules.tcp, server) {
                    draft.add(chain.name, prefixes: chain.prefixes, self.tcp(chain.targets))
                }
            }
        }
    }

    /// The ways that `tcp` rules open; nothing gets past one that takes every address (facts #46).
    private func chains(of rules: [ConnectionRouteRule], _ server: GatewayPlan.Server) -> [OutboundPlan.Chain] {
        var chains: [OutboundPlan.Chain] = []
        for rule in rules {
            let targets = self.scope.targets(rule.destinations, server.server.port)
            let matches = rule.matches.isEmpty ? [ConnectionMatch()] : rule.matches
            for match in matches where self.scope.admits(match, at: server.place, server.server.port) {
                chains.append(OutboundPlan.Chain(prefixes: match.destinationSubnets, targets: targets))
                if match.destinationSubnets.isEmpty { return chains }
            }
        }
        return chains
    }

    private func tcp(_ targets: [OutboundPlan.Target]) -> Envoy_Config_Listener_V3_Filter {
        guard let first = targets.first else { return self.filters.tcp(to: ResourceName.blackHole) }
        return self.filters.tcp(statPrefix: first.cluster, targets: targets, idle: self.idle[first.cluster])
    }
}

extension OutboundPlan.Chain {
    fileprivate var name: String { self.targets.first?.cluster ?? ResourceName.blackHole }
}
