internal import NIOCore
internal import NIOPosix

/// A UDP socket towards one server. For one task.
///
/// The server's address is looked up again every minute: with UDP nobody tells that it has moved.
actor StatsdSocket {
    private static let lifetime = Duration.seconds(60)

    private let endpoint: Endpoint
    private var channel: (any Channel)?
    private var openedAt = ContinuousClock.now

    init(_ endpoint: Endpoint) { self.endpoint = endpoint }

    /// Sends packets; how many of the first were lost, as far as anybody can tell.
    func send(_ packets: [String]) async -> Int {
        if self.openedAt.duration(to: .now) >= Self.lifetime { await self.close() }
        do {
            let channel = try await self.opened()
            for packet in packets.dropLast() { channel.write(ByteBuffer(string: packet), promise: nil) }
            try await channel.writeAndFlush(ByteBuffer(string: packets.last ?? ""))
            return 0
        } catch {
            // The system tells by the next packet that nobody took the last.
            await self.close()
            return packets.count
        }
    }

    private func opened() async throws -> any Channel {
        if let channel, channel.isActive { return channel }
        let (host, port) = (self.endpoint.host, self.endpoint.port)
        let address = try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(host, port: port)
        }
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramWriter(address))
                }
            }
            .connect(to: address)
            .get()
        self.channel = channel
        self.openedAt = .now
        return channel
    }

    func close() async {
        guard let channel else { return }
        self.channel = nil
        // A socket that is closed already is what is wanted.
        try? await channel.close()
    }
}

/// Makes datagrams of bytes, and reads over what comes back.
private final class DatagramWriter: ChannelDuplexHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let address: SocketAddress

    init(_ address: SocketAddress) { self.address = address }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = self.unwrapOutboundIn(data)
        context.write(
            self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.address, data: bytes)),
            promise: promise
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
