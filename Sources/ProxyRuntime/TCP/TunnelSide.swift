internal import MeshModel
internal import NIOCore
internal import NIOSSL
internal import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// One of a tunnel's two channels; alone in its pipeline.
final class TunnelSide: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let tunnel: Tunnel
    let isClient: Bool
    private var context: ChannelHandlerContext?
    private var wantsRead = false
    var isReset = false

    init(tunnel: Tunnel, isClient: Bool) {
        self.tunnel = tunnel
        self.isClient = isClient
    }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }
    var localAddress: NetworkAddress? { self.context?.localAddress.flatMap(NetworkAddress.init) }

    func write(_ bytes: ByteBuffer) { self.context?.write(self.wrapOutboundOut(bytes), promise: nil) }

    func flush() { self.context?.flush() }

    func close() { self.context?.close(promise: nil) }

    func endOutput() { self.context.map { $0.channel.closeAfterFlush(mode: .output) } }

    func closeAfterFlush() { self.context.map { $0.channel.closeAfterFlush(mode: .all) } }

    /// Ends the connection so that the peer sees a reset, as it happened on the other side.
    func reset() {
        guard let context = self.context else { return }
        if let provider = context.channel as? any SocketOptionProvider {
            // If it cannot be set, the connection ends in order: the peer learns of the end all the same.
            _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        // TLS would say goodbye first: the reset comes from below it.
        if let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLHandler.self) {  // throws if plain
            tls.close(promise: nil)
        } else {
            context.close(promise: nil)
        }
    }

    func resumeReading() {
        guard self.wantsRead, let context = self.context else { return }
        self.wantsRead = false
        context.read()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if self.isClient, context.channel.isActive { self.tunnel.start() }
    }

    func channelActive(context: ChannelHandlerContext) {
        if self.isClient { self.tunnel.start() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        if self.isClient { self.tunnel.clientRemoved() }
    }

    func read(context: ChannelHandlerContext) {
        // Reads stop when what is read could not go anywhere.
        if let peer = self.tunnel.peer(isClient: self.isClient), peer.isWritable {
            context.read()
        } else {
            self.wantsRead = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        if self.isClient {
            guard let admitted = self.tunnel.admit(bytes) else { return }
            bytes = admitted
        }
        guard let peer = self.tunnel.peer(isClient: self.isClient) else {
            self.tunnel.hold(bytes)
            return
        }
        self.tunnel.count(bytes.readableBytes, fromClient: self.isClient)
        peer.write(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.tunnel.peer(isClient: self.isClient)?.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.tunnel.peer(isClient: self.isClient)?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { self.tunnel.sideEnded(isClient: self.isClient) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An end without TLS's goodbye is how many programs close: it is passed on as an end, which follows.
        if case NIOSSLError.uncleanShutdown = error { return }
        self.isReset = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        self.tunnel.sideClosed(isClient: self.isClient, isReset: self.isReset)
    }
}
