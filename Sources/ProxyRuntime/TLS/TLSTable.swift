internal import NIOSSL
internal import TrafficEngine

/// TLS for connections that come in by a chain.
struct ServerTLSContext: Sendable {
    var context: NIOSSLContext
    /// How a client's certificate is checked beyond its chain; `nil`: none is asked for.
    var check: PeerCheck?
    var requiresCertificate: Bool
    /// Names of our own certificate.
    var localURIs: [String]
}

/// TLS for connections to an endpoint.
struct ClientTLSContext: Sendable {
    var context: NIOSSLContext
    var check: PeerCheck
    var serverName: String?
    var usesHostAsServerName: Bool

    /// The name in the hello of a connection for a request to `host`.
    func serverName(for host: String?) -> String? {
        self.usesHostAsServerName ? host ?? self.serverName : self.serverName
    }
}

/// What the chains and clusters of one state need for handshakes; immutable, shared by all loops.
final class TLSTable: Sendable {
    typealias Server = Result<ServerTLSContext, TLSFault>
    typealias Client = Result<ClientTLSContext, TLSFault>

    struct Chain: Sendable {
        /// Held, so that its identity is not given to another one.
        var chain: FilterChain
        var server: Server
    }

    struct Transports: Sendable {
        var cluster: Cluster
        /// `nil`: plain.
        var clients: [Client?]
    }

    static let empty = TLSTable(number: 0, chains: [:], earlier: [:], clusters: [])

    /// Grows with every table.
    let number: Int

    let chains: [ObjectIdentifier: Chain]
    /// Chains of the state before, which connections that are just being looked at may still enter.
    private let earlier: [ObjectIdentifier: Chain]
    let clusters: [Transports?]

    init(
        number: Int,
        chains: [ObjectIdentifier: Chain],
        earlier: [ObjectIdentifier: Chain],
        clusters: [Transports?]
    ) {
        self.number = number
        self.chains = chains
        self.earlier = earlier
        self.clusters = clusters
    }

    func server(_ chain: FilterChain) -> Server {
        let id = ObjectIdentifier(chain)
        if let entry = self.chains[id] ?? self.earlier[id] { return entry.server }
        return .failure(TLSFault(reason: .noSecret, message: "filter chain \(chain.name) is not in use any more"))
    }

    /// `nil`: the endpoint is spoken to in plain.
    func client(_ cluster: ClusterID, transport: Int) -> Client? {
        guard cluster.index < self.clusters.count, let entry = self.clusters[cluster.index] else { return nil }
        guard transport < entry.clients.count else {
            let message = "cluster \(entry.cluster.name) has no transport \(transport)"
            return .failure(TLSFault(reason: .upstreamTLSFailed, message: message))
        }
        return entry.clients[transport]
    }

    /// What the cluster says of an endpoint; `nil`: it is spoken to in plain.
    func settings(_ cluster: ClusterID, transport: Int) -> ClientTLS? {
        guard cluster.index < self.clusters.count, let entry = self.clusters[cluster.index],
            transport < entry.cluster.transports.count
        else { return nil }
        return entry.cluster.transports[transport]
    }
}
