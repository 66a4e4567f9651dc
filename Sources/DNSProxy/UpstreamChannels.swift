internal import MeshModel
internal import NIOCore
internal import NIOPosix

/// Where a socket to another server reports to, on its own event loop.
struct UpstreamLink {
    var received: ([UInt8]) -> Void
    /// Called at most once.
    var failed: () -> Void
}

/// A UDP socket for one question to one server.
///
/// It is connected: the kernel drops datagrams of anybody else, and a closed port shows at once.
final class UpstreamDatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    /// More than we ask for; what is longer is cut off and asked again over TCP.
    private static let bytesMax = 4096

    private let server: SocketAddress
    private let query: ByteBuffer
    private let link: UpstreamLink
    private var hasFailed = false

    private init(_ server: SocketAddress, _ query: ByteBuffer, _ link: UpstreamLink) {
        self.server = server
        self.query = query
        self.link = link
    }

    static func open(
        _ eventLoop: any EventLoop,
        _ server: SocketAddress,
        _ query: ByteBuffer,
        _ link: UpstreamLink
    ) -> EventLoopFuture<any Channel> {
        let handler = NIOLoopBound(UpstreamDatagramHandler(server, query, link), eventLoop: eventLoop)
        return DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.bytesMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(to: server)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(
            self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.server, data: self.query)),
            promise: nil
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.link.received(Array(self.unwrapInboundIn(data).data.readableBytesView))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail()
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { self.fail() }

    private func fail() {
        guard !self.hasFailed else { return }
        self.hasFailed = true
        self.link.failed()
    }
}

/// A TCP connection for one question to one server.
final class UpstreamStreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var query: ByteBuffer
    private let link: UpstreamLink
    private var frames = DNSFrames(bytesMax: 65_535)
    private var hasFailed = false

    private init(_ query: ByteBuffer, _ link: UpstreamLink) {
        self.query = query
        self.link = link
    }

    static func open(
        _ eventLoop: any EventLoop,
        _ server: SocketAddress,
        _ query: ByteBuffer,
        _ link: UpstreamLink
    ) -> EventLoopFuture<any Channel> {
        let handler = NIOLoopBound(UpstreamStreamHandler(query, link), eventLoop: eventLoop)
        // Whoever opened it closes it when a try's time is over; the limit here is for connecting alone.
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(2))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(to: server)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(DNSFrames.framed(self.query)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.frames.append(self.unwrapInboundIn(data))
        while let frame = self.frames.next() { self.link.received(Array(frame.readableBytesView)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail()
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { self.fail() }

    private func fail() {
        guard !self.hasFailed else { return }
        self.hasFailed = true
        self.link.failed()
    }
}

extension SocketAddress {
    /// - Throws: if the interface of a link-local address is not there.
    static func of(_ server: DNSUpstream) throws -> SocketAddress {
        guard let zone = server.zone else {
            return try SocketAddress(ipAddress: server.address.description, port: Int(server.port))
        }
        // Nothing is looked up anywhere: a numeric address is only parsed, its interface turned into a number.
        return try .makeAddressResolvingHost("\(server.address)%\(zone)", port: Int(server.port))
    }
}
