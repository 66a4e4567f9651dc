import MeshModel

/// Where connections to each port and address go, decided before anything is put into Envoy's messages.
struct OutboundPlan {
    /// A way for bytes through a listener.
    struct Chain {
        /// Dialled blocks; empty: any address.
        var prefixes: [CIDR] = []
        /// Names that TLS asks for; empty: any, or no TLS.
        var serverNames: [HostName] = []
        /// `prefixes` are addresses that proxies give to names, and `serverNames` which names they must be: those that
        /// the proxy itself knows of an address, not what a client says.
        var isMinted = false
        var targets: [Target]
    }

    struct Target: Hashable {
        var cluster: String
        var weight: UInt32
    }

    /// A port on all addresses that have no listener of their own.
    struct SharedPort {
        var chains: [Chain] = []
        /// Where connections go that no chain takes; `nil`: nobody declared them.
        var fallback: [Target]?
        var hasHTTP = false
        /// Addresses of HTTP services, which blocks of other services must not swallow.
        var httpAddresses: [CIDR] = []
    }

    /// A port on one address.
    struct DialledAddress {
        var host: HostName
        var chains: [Chain]
        var fallback: [Target]
        /// Nobody said what is spoken there: requests are routed, anything else is passed on.
        var detectsHTTP: Bool
    }

    struct AddressKey: Hashable, Comparable {
        var address: IPAddress
        var port: Port

        static func < (left: Self, right: Self) -> Bool { (left.address, left.port) < (right.address, right.port) }
    }

    private(set) var ports: [Port: SharedPort] = [:]
    private(set) var addresses: [AddressKey: DialledAddress] = [:]

    init(_ scope: ProxyScope) {
        for service in scope.services {
            for port in service.ports { self.add(service, port, scope) }
        }
    }

    private mutating func add(_ service: Service, _ port: ServicePort, _ scope: ProxyScope) {
        // The proxy's own ports; a listener there would collide with the two that interception leads to.
        guard ![MeshPorts.outbound, MeshPorts.inbound].contains(port.port.number) else { return }
        let blocks = service.dialledBlocks(scope)
        switch port.applicationProtocol {
        case .udp: ()
        case .http, .http2, .grpc:
            self.ports[port.port, default: SharedPort()].hasHTTP = true
            self.ports[port.port]?.httpAddresses += service.addresses
        case .tcp, .mongo, .mysql, .redis:
            self.addConnections(service, port, blocks, scope.tcpChains(service, port), scope, detectsHTTP: false)
        case .https, .tls:
            self.addConnections(service, port, blocks, scope.tlsChains(service, port), scope, detectsHTTP: false)
        case .unknown:
            if blocks.isEmpty, service.addresses.isEmpty, !service.isHeadless {
                self.ports[port.port, default: SharedPort()].hasHTTP = true
            }
            self.addConnections(service, port, blocks, scope.tcpChains(service, port), scope, detectsHTTP: true)
        }
    }

    /// Single addresses get listeners; blocks and services without addresses share the port's.
    private mutating func addConnections(
        _ service: Service,
        _ port: ServicePort,
        _ blocks: [CIDR],
        _ ways: (chains: [Chain], fallback: [Target]?),
        _ scope: ProxyScope,
        detectsHTTP: Bool
    ) {
        let own = Self.target(of: service, port)
        if scope.key.mintsAddresses, service.mintsAddresses {
            let ranges = scope.settings.virtualAddresses
            self.ports[port.port, default: SharedPort()].chains.append(
                Chain(
                    prefixes: [ranges.mintedV4, ranges.mintedV6],
                    serverNames: [service.host],
                    isMinted: true,
                    targets: ways.fallback ?? [own]
                )
            )
            if service.resolvesDialledNames { return }
        }
        for address in service.listenerAddresses {
            let key = AddressKey(address: address, port: port.port)
            // Oldest first: who declared the address first keeps it.
            guard self.addresses[key] == nil else { continue }
            self.addresses[key] = DialledAddress(
                host: service.host,
                chains: ways.chains,
                fallback: ways.fallback ?? [own],
                detectsHTTP: detectsHTTP
            )
        }
        let isTLS = port.applicationProtocol == .tls || port.applicationProtocol == .https
        // An address of our own making is one more way: TLS to the real ones still tells the name.
        let hasNoAddress = !service.isHeadless && (service.addresses.isEmpty || isTLS && service.hasGivenAddresses)
        if blocks.isEmpty, !hasNoAddress { return }
        var shared = self.ports[port.port, default: SharedPort()]
        shared.chains += ways.chains.map { chain in
            var chain = chain
            if chain.prefixes.isEmpty { chain.prefixes = blocks }
            return chain
        }
        // A wildcard of all names is no name that TLS could be matched by.
        if isTLS, service.host.text != "*" {
            shared.chains.append(
                Chain(prefixes: blocks, serverNames: [service.host], targets: ways.fallback ?? [own])
            )
        } else if !blocks.isEmpty {
            shared.chains.append(Chain(prefixes: blocks, targets: ways.fallback ?? [own]))
        } else if shared.fallback == nil {
            shared.fallback = ways.fallback ?? [own]
        }
        self.ports[port.port] = shared
    }

    private static func target(of service: Service, _ port: ServicePort) -> Target {
        Target(cluster: ResourceName.outboundCluster(service.host, port: port.port), weight: 1)
    }
}

extension Service {
    /// Addresses that get a listener each.
    fileprivate var listenerAddresses: [IPAddress] {
        if self.isHeadless || self.resolution == .originalDestination { return [] }
        return self.addresses.filter(\.isSingleAddress).map(\.network) + self.formerAddresses
    }

    /// Blocks that are matched on the shared listener of a port.
    ///
    /// Where the dialled address is where traffic goes, single addresses count as blocks of one.
    fileprivate func dialledBlocks(_ scope: ProxyScope) -> [CIDR] {
        if self.isHeadless {
            let endpoints = scope.readyEndpoints(of: self).compactMap { endpoint -> CIDR? in
                if case .ip(let address) = endpoint.address { CIDR(address) } else { nil }
            }
            return Set(endpoints).sorted()
        }
        if self.resolution == .originalDestination { return self.addresses }
        return self.addresses.filter { !$0.isSingleAddress }
    }
}

extension ProxyScope {
    /// What the `tcp` rules make of a port; `fallback` is `nil` if they leave something to the service itself.
    fileprivate func tcpChains(
        _ service: Service,
        _ port: ServicePort
    ) -> (chains: [OutboundPlan.Chain], fallback: [OutboundPlan.Target]?) {
        var chains: [OutboundPlan.Chain] = []
        for rule in self.routeRules(for: service.host)?.tcp ?? [] {
            let targets = self.targets(rule.destinations, port.port)
            let matches = rule.matches.isEmpty ? [ConnectionMatch()] : rule.matches
            for match in matches where self.admits(match, port) {
                // Nothing gets past a rule that takes every address (facts #46).
                if match.destinationSubnets.isEmpty { return (chains, targets) }
                chains.append(OutboundPlan.Chain(prefixes: match.destinationSubnets, targets: targets))
            }
        }
        return (chains, nil)
    }

    /// What the `tls` rules make of a port.
    fileprivate func tlsChains(
        _ service: Service,
        _ port: ServicePort
    ) -> (chains: [OutboundPlan.Chain], fallback: [OutboundPlan.Target]?) {
        var chains: [OutboundPlan.Chain] = []
        for rule in self.routeRules(for: service.host)?.tls ?? [] {
            for match in rule.matches where self.admits(match, port) && !match.serverNames.isEmpty {
                chains.append(
                    OutboundPlan.Chain(
                        prefixes: match.destinationSubnets,
                        serverNames: match.serverNames,
                        targets: self.targets(rule.destinations, port.port)
                    )
                )
            }
        }
        return (chains, nil)
    }

    private func admits(_ match: ConnectionMatch, _ port: ServicePort) -> Bool {
        self.admits(match, at: .mesh, port.port)
    }

    /// Whether a `tls` or `tcp` match may apply to connections to a port.
    func admits(_ match: ConnectionMatch, at place: RulePlace, _ port: Port) -> Bool {
        (match.port == nil || match.port == port)
            && self.admits(
                at: place,
                sourceLabels: match.sourceLabels,
                sourceNamespace: match.sourceNamespace,
                gateways: match.gateways
            )
    }

    /// The clusters of a rule; `port` stands in where a destination names none.
    func targets(_ destinations: [RouteDestination], _ port: Port) -> [OutboundPlan.Target] {
        let weighted = destinations.count > 1 ? destinations.filter { $0.weight > 0 } : destinations
        return weighted.map {
            OutboundPlan.Target(
                cluster: self.cluster(of: $0, dialled: port),
                weight: destinations.count > 1 ? $0.weight : 1
            )
        }
    }
}
