import MeshModel

/// What a gateway listens on: the servers of all Gateways that select it, sorted by the socket that they share.
struct GatewayPlan {
    /// A server of one Gateway.
    struct Server {
        var gateway: GatewayRules
        var server: GatewayRules.Server
        /// Its hosts, without those that an older server on the same socket answers to already.
        var hosts: [GatewayRules.Host]
    }

    struct Socket: Hashable, Comparable {
        /// `nil`: all addresses.
        var bind: IPAddress?
        var port: Port

        static func < (left: Self, right: Self) -> Bool {
            (left.port, left.bind?.description ?? "") < (right.port, right.bind?.description ?? "")
        }
    }

    /// What connections to a socket begin with; one socket cannot have two of it.
    enum Opening: Hashable {
        case plainHTTP, tls, bytes

        init(_ server: GatewayRules.Server) {
            switch server.serverProtocol {
            // `tls` of such a server holds `httpsRedirect` and nothing else.
            case .http, .http2, .grpc: self = .plainHTTP
            case .https, .tls: self = .tls
            case .tcp, .mongo: self = server.tls == nil ? .bytes : .tls
            }
        }
    }

    struct Entrance {
        var opening: Opening
        /// Oldest first.
        var servers: [Server]
    }

    private(set) var entrances: [Socket: Entrance] = [:]

    init(proxy: ProxyKey, snapshot: MeshSnapshot) {
        let ports = GatewayPorts(proxy: proxy, snapshot: snapshot)
        for gateway in snapshot.gateways where Self.selects(gateway, proxy) {
            for server in gateway.servers {
                for port in ports.bound(server.port) {
                    self.add(
                        Server(gateway: gateway, server: server, hosts: server.hosts),
                        to: Socket(bind: server.bind, port: port)
                    )
                }
            }
        }
    }

    static func selects(_ gateway: GatewayRules, _ proxy: ProxyKey) -> Bool {
        gateway.selector.allSatisfy { proxy.labels[$0.key] == $0.value }
    }

    /// All servers that read the server name and no more.
    var automaticPassthrough: [Server] {
        self.entrances.sorted { $0.key < $1.key }.flatMap(\.value.servers)
            .filter { $0.server.tls?.mode == .autoPassthrough }
    }

    private mutating func add(_ server: Server, to socket: Socket) {
        let opening = Opening(server.server)
        // The API demands `tls` of HTTPS; without a certificate there is nothing to answer with.
        if opening == .tls, server.server.tls == nil { return }
        var entrance = self.entrances[socket] ?? Entrance(opening: opening, servers: [])
        // Who came first says what is spoken (facts #50).
        guard entrance.opening == opening else { return }
        var server = server
        if opening == .tls {
            // The name that a client asks for is all that tells these servers apart.
            let taken = Set(entrance.servers.flatMap(\.hosts).map(\.name))
            server.hosts = server.hosts.filter { !taken.contains($0.name) }
            if server.hosts.isEmpty { return }
        }
        entrance.servers.append(server)
        self.entrances[socket] = entrance
    }
}

extension GatewayPlan.Server {
    /// Where rules for this server are written.
    var place: RulePlace { .gateway(self.gateway.qualifiedName) }

    /// Names that TLS may ask for; empty: any.
    var serverNames: [HostName] {
        let names = self.hosts.map(\.name)
        return names.contains { $0.text == "*" } ? [] : names
    }

    /// The names by which what a VirtualService says is reached here: of its hosts and the server's, the narrower
    /// ones (facts #39).
    func names(of rules: RouteRules) -> [HostName] {
        self.names(among: rules.hosts, namespace: rules.source.id.namespace)
    }

    /// What of `names`, which a VirtualService of `namespace` lists, this server answers to.
    func names(among names: [HostName], namespace: String) -> [HostName] {
        var found: [HostName] = []
        for name in names {
            for host in self.hosts where host.owner.includes(namespace) {
                let narrower = host.name.covers(name) ? name : name.covers(host.name) ? host.name : nil
                if let narrower, !found.contains(narrower) { found.append(narrower) }
            }
        }
        return found
    }
}

extension GatewayRules.Host.Owner {
    fileprivate func includes(_ namespace: String) -> Bool {
        switch self {
        case .any: true
        case .namespace(let name): name == namespace
        }
    }
}

/// Which ports of the pod the ports of Gateways are.
///
/// Clients reach a gateway by a Service, and a Gateway names the Service's port. The pod may listen on another: a
/// gateway without privileges cannot have port 80.
struct GatewayPorts {
    private let proxy: ProxyKey
    private let snapshot: MeshSnapshot
    /// Services that lead to this proxy, or will once its endpoints are known.
    private let services: [(service: Service, own: [Endpoint])]

    init(proxy: ProxyKey, snapshot: MeshSnapshot) {
        self.proxy = proxy
        self.snapshot = snapshot
        self.services = snapshot.services.compactMap { service in
            let own = snapshot.endpoints[ServiceKey(service), default: []].filter {
                $0.cluster.isEmpty && ($0.workload == proxy.workload || $0.address == .ip(proxy.address))
            }
            return own.isEmpty && !Self.selects(service, proxy) ? nil : (service, own)
        }
    }

    /// The ports to listen on for a Gateway's `port`, in order; none while a Service has it and its endpoints are not
    /// known yet.
    func bound(_ port: Port) -> [Port] {
        var isServed = false
        var ports: Set<Port> = []
        for (service, own) in self.services {
            for entry in service.ports where entry.port == port {
                isServed = true
                ports.formUnion(own.filter { $0.servicePortName == entry.name }.map(\.port))
            }
        }
        return (isServed ? ports.sorted() : [port]).filter { !Self.reserved.contains($0.number) }
    }

    private static func selects(_ service: Service, _ proxy: ProxyKey) -> Bool {
        service.isKubernetes && service.cluster.isEmpty && service.namespace == proxy.workload.namespace
            && !service.selector.isEmpty
            && service.selector.allSatisfy { proxy.labels[$0.key] == $0.value }
    }

    /// The proxy's own.
    private static let reserved: Set<UInt16> = [MeshPorts.admin, MeshPorts.ready, MeshPorts.prometheus]
}
