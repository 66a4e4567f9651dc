package import Logging
package import MeshModel
package import NIOCore
internal import NIOPosix
internal import Synchronization

/// Answers DNS over UDP and TCP: names of a table itself, all else from other servers.
///
/// It is the DNS of a sidecar, with a table of the mesh, and that of the cluster on one machine, with zones.
package final class DNSServer: Sendable {
    package struct Options: Hashable, Sendable {
        /// Where to listen, UDP and TCP alike. A redirected query is answered from the address that it was redirected
        /// to, so a sidecar listens on loopback and never on all addresses.
        package var addresses: [IPAddress]
        /// 0: one that is free, the same for both transports.
        package var port: UInt16
        package var connectionsMax: Int
        /// A TCP connection without a whole query or answer for this long is closed; more than the forwarder's budget.
        package var idleTimeout: Duration

        package init(
            addresses: [IPAddress] = [.v4(0x7f00_0001)],
            port: UInt16 = MeshPorts.dns,
            connectionsMax: Int = 128,
            idleTimeout: Duration = .seconds(10)
        ) {
            self.addresses = addresses
            self.port = port
            self.connectionsMax = connectionsMax
            self.idleTimeout = idleTimeout
        }
    }

    /// A port could not be taken.
    package struct BindError: Error, CustomStringConvertible {
        package var address: String
        package var reason: String

        package var description: String { "cannot bind DNS to \(self.address): \(self.reason)" }
    }

    private let options: Options
    private let forwarder: DNSForwarder
    private let core: NIOLoopBoundBox<AnsweringCore>
    private let logger: Logger
    private let channels = Mutex<[any Channel]>([])

    /// - Parameters:
    ///   - options: where to listen, and limits.
    ///   - table: what is answered until `update`.
    ///   - forwarder: who is asked for all else; its event loop is the server's as well.
    ///   - recentNames: notes which names led to which addresses.
    ///   - logger: hears about ports.
    package init(
        options: Options = Options(),
        table: DNSTable,
        forwarder: DNSForwarder,
        recentNames: RecentNames? = nil,
        logger: Logger
    ) {
        self.options = options
        self.forwarder = forwarder
        self.logger = logger
        self.core = NIOLoopBoundBox.makeBoxSendingValue(
            AnsweringCore(
                table: table,
                recentNames: recentNames,
                isOwnPort: { port in forwarder.withCore { $0.isOwnPort(port) } },
                forward: { query, done in forwarder.withCore { $0.forward(query, done) } }
            ),
            eventLoop: forwarder.eventLoop
        )
    }

    /// Answers out of this table; it is in force when the call returns.
    package func update(_ table: DNSTable) async {
        // A loop that is gone answers nothing.
        try? await self.forwarder.eventLoop.submit { self.core.value.table = table }.get()
    }

    /// Takes all ports, or none.
    ///
    /// - Returns: the addresses listened on, with their port.
    /// - Throws: `BindError`.
    @discardableResult
    package func start() async throws -> [SocketAddress] {
        var bound: [SocketAddress] = []
        do {
            for address in self.options.addresses { bound.append(try await self.bind(address)) }
        } catch {
            await self.stop()
            throw error
        }
        self.logger.info("dns bound", metadata: ["addresses": "\(bound)"])
        return bound
    }

    /// Gives the ports back; connections of clients end.
    package func stop() async {
        let channels = self.channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
        for channel in channels {
            // Closed already is as good.
            try? await channel.close()
        }
    }

    /// The server's counters and those of its forwarder.
    package func statistics() async -> DNSStatistics {
        var sum = await self.forwarder.statistics()
        // A loop that is gone counts nothing.
        let own = (try? await self.forwarder.eventLoop.submit { self.core.value.statistics }.get()) ?? DNSStatistics()
        sum.requests = own.requests
        sum.answeredLocally = own.answeredLocally
        sum.malformed = own.malformed
        sum.truncated = own.truncated
        sum.connectionsRefused = own.connectionsRefused
        sum.loops = own.loops
        return sum
    }

    /// How often a free port is looked for that is free for UDP as well.
    private static let freePortTries = 8

    private func bind(_ address: IPAddress) async throws -> SocketAddress {
        var lastError: (any Error)?
        for _ in 0..<(self.options.port == 0 ? Self.freePortTries : 1) {
            do {
                let wanted = try SocketAddress(ipAddress: address.description, port: Int(self.options.port))
                let stream = try await self.bindStream(wanted)
                guard let local = stream.localAddress else { continue }
                do {
                    let datagram = try await self.bindDatagram(local)
                    self.channels.withLock { $0 += [stream, datagram] }
                    return local
                } catch {
                    // The next free port may do.
                    try? await stream.close()
                    lastError = error
                }
            } catch {
                lastError = error
            }
        }
        throw BindError(
            address: "\(address):\(self.options.port)",
            reason: lastError.map { "\($0); does another DNS server run here?" } ?? "no port is free"
        )
    }

    /// Datagrams taken from the kernel at once.
    private static let datagramsPerRead = 32

    private func bindDatagram(_ address: SocketAddress) async throws -> any Channel {
        let core = self.core
        return try await DatagramBootstrap(group: self.forwarder.eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: Self.datagramsPerRead)
            // One share each: queries are short, and longer ones come over TCP.
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramsPerRead * 2048)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DNSDatagramHandler(core: core.value))
                }
            }
            .bind(to: address).get()
    }

    private func bindStream(_ address: SocketAddress) async throws -> any Channel {
        let core = self.core
        let idleTimeout = TimeAmount(self.options.idleTimeout)
        let connectionsMax = self.options.connectionsMax
        let open = NIOLoopBoundBox.makeBoxSendingValue(0, eventLoop: self.forwarder.eventLoop)
        return try await ServerBootstrap(group: self.forwarder.eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard open.value < connectionsMax else {
                        core.value.connectionRefused()
                        throw TooManyConnections()
                    }
                    open.value += 1
                    channel.closeFuture.whenComplete { _ in open.value -= 1 }
                    try channel.pipeline.syncOperations.addHandler(
                        DNSStreamHandler(core: core.value, idleTimeout: idleTimeout)
                    )
                }
            }
            .bind(to: address).get()
    }

    private struct TooManyConnections: Error {}
}
