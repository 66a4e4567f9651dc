import MeshModel
import XDSAPI

/// Listeners for what applications send.
struct OutboundListeners {
    private let scope: ProxyScope
    private let plan: OutboundPlan
    private let filters: FilterFactory
    private let idle: [String: Duration]

    init(scope: ProxyScope, plan: OutboundPlan) {
        self.scope = scope
        self.plan = plan
        self.filters = FilterFactory(settings: scope.settings)
        self.idle = Self.idleTimeouts(scope)
    }

    func listeners() -> [Envoy_Config_Listener_V3_Listener] {
        [self.entrance()]
            + self.plan.ports.sorted { $0.key < $1.key }.map { self.shared($0.key, $0.value) }
            + self.plan.addresses.sorted { $0.key < $1.key }.map { self.own($0.key, $0.value) }
    }

    /// The one that interception leads to; it hands each connection to the listener of its original destination
    /// and keeps those that have none.
    private func entrance() -> Envoy_Config_Listener_V3_Listener {
        var draft = self.draft(ResourceName.virtualOutbound, "0.0.0.0", MeshPorts.outbound)
        draft.handOver()
        draft.restoreDestination()
        // Dialling the proxy's own port would come back here for ever (facts #62).
        draft.add(
            "virtualOutbound-blackhole",
            port: MeshPorts.outbound,
            self.filters.tcp(to: ResourceName.blackHole)
        )
        draft.setDefault("virtualOutbound-catchall-tcp", self.filters.undeclared)
        draft.setEgressBinding(self.scope.settings.dnsBoundEgress)
        return draft.listener
    }

    /// The listener of a port on all addresses that have none of their own.
    private func shared(_ port: Port, _ ways: OutboundPlan.SharedPort) -> Envoy_Config_Listener_V3_Listener {
        let name = ResourceName.listener(port: port)
        var draft = self.draft(name, "0.0.0.0", port.number)
        draft.setUnbound()
        let http = self.filters.http(statPrefix: "outbound_\(name)", routes: .named(ResourceName.routes(port: port)))
        if ways.hasHTTP {
            // A block of a TCP service may hold addresses of HTTP services: the longer prefix keeps them theirs.
            let blocks = ways.chains.flatMap(\.prefixes).filter { !$0.isSingleAddress }
            let inside = Set(ways.httpAddresses.filter { address in blocks.contains { $0.contains(address.network) } })
            if !inside.isEmpty { draft.add("\(name)-http", prefixes: inside.sorted(), http) }
        }
        for chain in ways.chains { self.add(chain, to: &draft) }
        switch (ways.hasHTTP, ways.fallback) {
        case (true, nil): draft.setDefault("\(name)-http", http)
        case (true, let fallback?):
            draft.add("\(name)-http", applicationProtocols: Self.plainHTTP, http)
            draft.setDefault("\(name)-tcp", self.tcp(fallback))
        case (false, let fallback?): draft.setDefault("\(name)-tcp", self.tcp(fallback))
        case (false, nil): draft.setDefault("\(name)-undeclared", self.filters.undeclared)
        }
        return draft.listener
    }

    /// The listener of one address.
    private func own(
        _ key: OutboundPlan.AddressKey,
        _ ways: OutboundPlan.DialledAddress
    ) -> Envoy_Config_Listener_V3_Listener {
        let name = ResourceName.listener(key.address, port: key.port)
        var draft = self.draft(name, key.address.description, key.port.number)
        draft.setUnbound()
        for chain in ways.chains { self.add(chain, to: &draft) }
        if ways.detectsHTTP {
            let routes = ResourceName.routes(ways.host, port: key.port)
            draft.add(
                "\(name)-http",
                applicationProtocols: Self.plainHTTP,
                self.filters.http(statPrefix: "outbound_\(name)", routes: .named(routes))
            )
        }
        draft.setDefault("\(name)-tcp", self.tcp(ways.fallback))
        return draft.listener
    }

    private func add(_ chain: OutboundPlan.Chain, to draft: inout ListenerDraft) {
        draft.add(
            chain.targets.first?.cluster ?? ResourceName.blackHole,
            prefixes: chain.prefixes,
            serverNames: chain.serverNames,
            transport: chain.isMinted ? .unread : .any,
            self.tcp(chain.targets)
        )
    }

    private func tcp(_ targets: [OutboundPlan.Target]) -> Envoy_Config_Listener_V3_Filter {
        guard let first = targets.first else { return self.filters.tcp(to: ResourceName.blackHole) }
        return self.filters.tcp(statPrefix: first.cluster, targets: targets, idle: self.idle[first.cluster])
    }

    private func draft(_ name: String, _ address: String, _ port: UInt16) -> ListenerDraft {
        ListenerDraft(
            name: name,
            address: address,
            port: port,
            direction: .outbound,
            settings: self.scope.settings
        )
    }

    /// What `http_inspector` finds in clear text.
    private static let plainHTTP = ["http/1.0", "http/1.1", "h2c"]

    /// Idle timeouts that DestinationRules set, by cluster.
    static func idleTimeouts(_ scope: ProxyScope) -> [String: Duration] {
        var timeouts: [String: Duration] = [:]
        for service in scope.destinations {
            let policy = scope.policy(for: service)
            for port in service.ports {
                if let timeout = policy.policy(port: port.port).tcpIdleTimeout {
                    timeouts[ResourceName.outboundCluster(service.host, port: port.port)] = timeout
                }
            }
        }
        return timeouts
    }
}
