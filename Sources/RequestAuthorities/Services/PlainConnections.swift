internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Logging
internal import MeshModel
internal import TrafficEngine

/// gRPC clients by address, kept for as long as somebody asks for them.
///
/// Connections are plain: the addresses are those of the proxy's cluster, its TLS is not used here.
struct PlainConnections {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    /// A client for one address, and when it was used last.
    private struct Kept {
        var client: Client
        var usedAt: ContinuousClock.Instant
    }

    /// Connections to addresses that nobody asked for so long are closed.
    private static let idleLimit: Duration = .seconds(300)

    private let logger: Logger
    private var clients: [NetworkAddress: Kept] = [:]

    init(logger: Logger) { self.logger = logger }

    /// The client for an address; a new one runs in `group`.
    mutating func client(for address: NetworkAddress, in group: inout DiscardingTaskGroup) -> Client? {
        let now = ContinuousClock.now
        if let kept = self.clients[address] {
            self.clients[address]?.usedAt = now
            return kept.client
        }
        for (address, kept) in self.clients where now - kept.usedAt > Self.idleLimit {
            kept.client.beginGracefulShutdown()
            self.clients[address] = nil
        }
        do {
            let client = GRPCClient(transport: try Self.transport(to: address))
            self.clients[address] = Kept(client: client, usedAt: now)
            let logger = self.logger
            group.addTask {
                do { try await client.runConnections() } catch {
                    logger.debug("connection ended", metadata: ["address": "\(address)", "error": "\(error)"])
                }
            }
            return client
        } catch {
            self.logger.debug("no client", metadata: ["address": "\(address)", "error": "\(error)"])
            return nil
        }
    }

    private static func transport(to address: NetworkAddress) throws -> HTTP2ClientTransport.Posix {
        let port = Int(address.port)
        return switch address.ip {
        case .v4:
            try .http2NIOPosix(
                target: .ipv4(address: address.ip.description, port: port),
                transportSecurity: .plaintext
            )
        case .v6:
            try .http2NIOPosix(
                target: .ipv6(address: address.ip.description, port: port),
                transportSecurity: .plaintext
            )
        }
    }
}
