internal import DNSWire
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
    private let tables: CurrentTable
    private let recentNames: RecentNames?
    private let logsQueries: Bool
    private let minted: MintedNames?
    private let listeners = Mutex<Listeners>(Listeners())

    private struct Listeners {
        var streams: [any Channel] = []
        var accepted: [AcceptedConnections] = []
        var datagrams: [DatagramServer] = []
        /// What those did that are no more.
        var past = DNSStatistics()
    }

    /// - Parameters:
    ///   - options: where to listen, and limits.
    ///   - table: what is answered until `update`.
    ///   - forwarder: who is asked for all else; its event loop is the server's as well.
    ///   - recentNames: notes which names led to which addresses.
    ///   - queryLog: hears of every question; all of them then go through the event loop.
    ///   - minted: gives addresses to names under wildcards.
    ///   - logger: hears about ports.
    package init(
        options: Options = Options(),
        table: DNSTable,
        forwarder: DNSForwarder,
        recentNames: RecentNames? = nil,
        queryLog: DNSQueryLine.Log? = nil,
        minted: MintedNames? = nil,
        logger: Logger
    ) {
        self.logsQueries = queryLog != nil
        self.options = options
        self.forwarder = forwarder
        self.logger = logger
        self.recentNames = recentNames
        self.minted = minted
        let tables = CurrentTable(table)
        self.tables = tables
        self.core = NIOLoopBoundBox.makeBoxSendingValue(
            AnsweringCore(
                tables: tables,
                recentNames: recentNames,
                known: forwarder.known,
                log: queryLog,
                minted: minted,
                isOwn: { forwarder.ownSockets.contains($0) },
                forward: { query, done in forwarder.withCore { $0.forward(query, done) } }
            ),
            eventLoop: forwarder.eventLoop
        )
    }

    /// Answers out of this table; it is in force when the call returns.
    package func update(_ table: DNSTable) async { self.tables.set(table) }

    /// If there is no table yet, names outside of `clusterDomain` are asked elsewhere from now on.
    ///
    /// - Returns: whether that is so.
    package func stopWaiting(below clusterDomain: String) -> Bool {
        self.tables.change { $0.waiting(below: clusterDomain) }
    }

    /// Gives addresses to names under these wildcards, each with a star in front, from now on.
    package func use(wildcards: [String], v4: CIDR?, v6: CIDR?) {
        guard let minted = self.minted, minted.use(wildcards: wildcards, v4: v4, v6: v6) else { return }
        // What other servers said of such names before is not to be said again.
        self.tables.renumber()
    }

    /// The table that is in force.
    package var table: DNSTable { self.tables.held.table }

    /// Answers one question as a client's, and says who gave the answer.
    func traced(_ question: DNSQuestion) async -> DNSTraceStep {
        await withCheckedContinuation { continuation in
            self.forwarder.eventLoop.execute {
                self.core.value.trace(question) { continuation.resume(returning: $0) }
            }
        }
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
        let (streams, accepted, datagrams) = self.listeners.withLock { listeners in
            defer { (listeners.streams, listeners.accepted, listeners.datagrams) = ([], [], []) }
            return (listeners.streams, listeners.accepted, listeners.datagrams)
        }
        for stream in streams {
            // Closed already is as good.
            try? await stream.close()
        }
        // After the listeners, which could bring more.
        for connections in accepted { await connections.closeAll() }
        for datagram in datagrams {
            await datagram.stop()
            self.listeners.withLock { datagram.add(to: &$0.past) }
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
        self.listeners.withLock { listeners in
            for datagram in listeners.datagrams { datagram.add(to: &sum) }
            sum.add(listeners.past)
        }
        return sum
    }

    /// How often a free port is looked for that is free for UDP as well.
    private static let freePortTries = 8

    private func bind(_ address: IPAddress) async throws -> SocketAddress {
        var lastError: (any Error)?
        for _ in 0..<(self.options.port == 0 ? Self.freePortTries : 1) {
            do {
                let wanted = try SocketAddress(ipAddress: address.description, port: Int(self.options.port))
                let accepted = AcceptedConnections(self.forwarder.eventLoop, max: self.options.connectionsMax)
                let stream = try await self.bindStream(wanted, accepted)
                guard let local = stream.localAddress else { continue }
                do {
                    let datagram = try self.bindDatagram(local)
                    self.listeners.withLock { listeners in
                        listeners.streams.append(stream)
                        listeners.accepted.append(accepted)
                        listeners.datagrams.append(datagram)
                    }
                    return local
                } catch {
                    // The next free port may do.
                    try? await stream.close()
                    await accepted.closeAll()
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

    private func bindDatagram(_ address: SocketAddress) throws -> DatagramServer {
        let core = self.core
        let forwarder = self.forwarder
        let server = try DatagramServer(
            address,
            tables: self.tables,
            recentNames: self.recentNames,
            known: forwarder.known,
            answersAtOnce: !self.logsQueries,
            ownSockets: forwarder.ownSockets,
            handOver: { server, queries in
                forwarder.eventLoop.execute {
                    server.taken(queries.count)
                    for query in queries {
                        core.value.handle(query.query, .udp(from: query.source)) { server.send($0, to: query.peer) }
                    }
                }
            }
        )
        try server.start()
        return server
    }

    private func bindStream(
        _ address: SocketAddress,
        _ accepted: AcceptedConnections
    ) async throws -> any Channel {
        let core = self.core
        let idleTimeout = TimeAmount(self.options.idleTimeout)
        return try await ServerBootstrap(group: self.forwarder.eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard accepted.take(channel) else {
                        core.value.connectionRefused()
                        throw TooManyConnections()
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        DNSStreamHandler(core: core.value, idleTimeout: idleTimeout)
                    )
                }
            }
            .bind(to: address).get()
    }

    private struct TooManyConnections: Error {}
}
