import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOSSL
import NIOTLS
import SwiftASN1
import Synchronization
import X509

/// The client certificate of a connection, for the handlers of its requests (`ServerContext.transportSpecific`).
struct PeerCertificate: ServerContext.TransportSpecific {
    /// `nil` if the client showed none.
    var certificate: Certificate?
}

/// Client certificates of the connections that are open, by the name that gRPC has for the peer.
///
/// The transport for listeners of one's own does not say who is connected; this does.
final class PeerConnections: Sendable {
    private struct Entry {
        var channel: ObjectIdentifier
        var certificate: Certificate
    }

    private let entries = Mutex<[String: Entry]>([:])

    func certificate(of peer: String) -> Certificate? { self.entries.withLock { $0[peer]?.certificate } }

    fileprivate func opened(_ peer: String, _ channel: ObjectIdentifier, _ certificate: Certificate) {
        self.entries.withLock { $0[peer] = Entry(channel: channel, certificate: certificate) }
    }

    fileprivate func closed(_ peer: String, _ channel: ObjectIdentifier) {
        self.entries.withLock { entries in
            // The port may belong to a new connection by now.
            if entries[peer]?.channel == channel { entries.removeValue(forKey: peer) }
        }
    }

    var count: Int { self.entries.withLock(\.count) }

    /// `ipv4:10.0.0.1:1234`, `ipv6:[::1]:1234`: gRPC's way to write addresses.
    static func name(of address: NIOCore.SocketAddress?) -> String? {
        guard let address, let ip = address.ipAddress, let port = address.port else { return nil }
        switch address {
        case .v4: return "ipv4:\(ip):\(port)"
        case .v6: return "ipv6:[\(ip)]:\(port)"
        case .unixDomainSocket: return nil
        }
    }
}

/// Notes the certificate of a connection once the handshake is over, and ends connections that never come to that.
final class PeerRecorder: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let connections: PeerConnections
    private var peer: String?
    private var deadline: Scheduled<Void>?

    private static let handshakeTime = TimeAmount.seconds(10)

    init(_ connections: PeerConnections) { self.connections = connections }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.deadline = context.eventLoop.scheduleTask(in: Self.handshakeTime) { channel.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            self.deadline?.cancel()
            self.deadline = nil
            self.record(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        if let peer = self.peer { self.connections.closed(peer, ObjectIdentifier(context.channel)) }
        context.fireChannelInactive()
    }

    private func record(_ context: ChannelHandlerContext) {
        guard let peer = PeerConnections.name(of: context.remoteAddress) else { return }
        // A certificate that TLS accepted and that we cannot read names nobody.
        guard let shown = try? context.channel.pipeline.syncOperations.nioSSL_peerCertificate(),
            let bytes = try? shown.toDERBytes(), let certificate = try? Certificate(derEncoded: bytes)
        else { return }
        self.peer = peer
        self.connections.opened(peer, ObjectIdentifier(context.channel), certificate)
    }
}

/// Gives handlers the certificate of the connection that their request came by.
struct PeerInterceptor: ServerInterceptor {
    let connections: PeerConnections

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>,
        context: ServerContext,
        next:
            @concurrent @Sendable (
                _ request: StreamingServerRequest<Input>,
                _ context: ServerContext
            ) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        var context = context
        context.transportSpecific = PeerCertificate(
            certificate: self.connections.certificate(of: context.remotePeer)
        )
        return try await next(request, context)
    }
}
