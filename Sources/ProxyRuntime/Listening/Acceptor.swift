internal import MeshModel
internal import NIOCore
internal import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// One loop's listening socket at one address: finds for each connection its listener and its filter chain.
final class Acceptor {
    private let worker: Worker
    /// What the address stands for in the current state.
    private(set) var listener: Listener
    private(set) var counters: ListenerCounters

    init(worker: Worker, listener: Listener) {
        self.worker = worker
        self.listener = listener
        self.counters = worker.listenerCounters(listener.name)
    }

    /// The address has another listener in a new state; connections keep what they started with.
    func use(_ listener: Listener) {
        self.listener = listener
        self.counters = self.worker.listenerCounters(listener.name)
    }

    /// Sets up the pipeline of a connection that was just accepted.
    func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
        let counters = self.counters
        counters.counts.connections += 1
        guard counters.counts.connectionsActive < self.worker.options.connectionsMax, !self.worker.isStopping else {
            counters.counts.connectionsOverflowed += 1
            return channel.eventLoop.makeFailedFuture(ChannelError.connectPending)
        }
        counters.counts.connectionsActive += 1
        let worker = self.worker
        worker.connections[ObjectIdentifier(channel)] = channel
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            counters.counts.connectionsActive -= 1
            counters.counts.connectionsDestroyed += 1
            worker.connections[ObjectIdentifier(channel)] = nil
        }
        do {
            try self.setUp(channel, counters)
            return channel.eventLoop.makeSucceededVoidFuture()
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
    }

    private func setUp(_ channel: any Channel, _ counters: ListenerCounters) throws {
        guard let local = channel.localAddress.flatMap(NetworkAddress.init) else {
            throw ChannelError.unknownLocalAddress
        }
        var facts = ClientFacts(
            listener: counters,
            source: channel.remoteAddress.flatMap(NetworkAddress.init),
            destination: local
        )
        var listener = self.listener
        if listener.usesOriginalDestination || listener.isInbound,
            let original = OriginalDestination.of(channel, isSix: channel.localAddress?.protocol == .inet6),
            original != local
        {
            facts.destination = original
            facts.isRedirected = true
        }
        if !listener.isInbound {
            facts.egress = self.worker.egressGrant(at: listener, to: facts.destination.ip)
        }
        if listener.usesOriginalDestination {
            guard facts.isRedirected else {
                // Nobody was redirected: passing it on would bring it back here (facts #62).
                counters.counts.loops += 1
                throw ChannelError.unknownLocalAddress
            }
            listener = self.worker.table.listener(for: facts.destination) ?? listener
        }
        if facts.isRedirected, !self.worker.mintedBlocks.isEmpty {
            try self.findMintedName(channel, &facts)
            if facts.mintedName != nil, listener.mints(facts.destination.ip) {
                // It is known what is meant, and the first bytes may be the server's.
                return try self.enter(channel, listener, facts, ProtocolInspector.Finding(serverName: facts.mintedName))
            }
        }
        let port = facts.destination.port
        let inspector = ProtocolInspector(
            inspectsHTTP: listener.inspectsHTTP && !(listener.uninspectedByHTTP?.holds(port) ?? false),
            inspectsTLS: listener.inspectsTLS && !(listener.uninspectedByTLS?.holds(port) ?? false)
        )
        if inspector.looks {
            let inspection = InspectionHandler(
                worker: self.worker,
                listener: listener,
                inspector: inspector,
                facts: facts
            )
            try channel.pipeline.syncOperations.addHandler(inspection)
            return
        }
        try self.enter(channel, listener, facts, ProtocolInspector.Finding())
    }

    private func enter(
        _ channel: any Channel,
        _ listener: Listener,
        _ facts: ClientFacts,
        _ finding: ProtocolInspector.Finding
    ) throws {
        switch Self.entry(worker: self.worker, listener: listener, tls: self.worker.tls, facts: facts, finding) {
        case .handlers(let handlers):
            for handler in handlers { try channel.pipeline.syncOperations.addHandler(handler) }
        case .refused: throw ChannelError.unknownLocalAddress
        }
    }

    /// Whether the destination is an address that this proxy gave to a name, and to which.
    ///
    /// - Throws: If it is one that nobody has now: any other way would lead to somebody else.
    private func findMintedName(_ channel: any Channel, _ facts: inout ClientFacts) throws {
        let address = facts.destination.ip
        guard self.worker.mintedBlocks.contains(where: { $0.contains(address) }) else { return }
        guard let names = self.worker.options.mintedNames, let name = names.connectionOpened(address) else {
            facts.listener.counts.noFilterChainMatch += 1
            self.worker.countBlocked(
                name: self.worker.options.nameOfAddress(address) ?? "",
                address: facts.destination,
                reason: .blockedAddress
            )
            throw ChannelError.unknownLocalAddress
        }
        facts.mintedName = name
        channel.closeFuture.whenComplete { _ in names.connectionClosed(address) }
    }

    /// What a connection meets first.
    enum Entry {
        /// In the order of the pipeline.
        case handlers([any ChannelHandler])
        /// No chain matches, or the chain cannot speak TLS; counted.
        case refused
    }

    /// The chain that a connection enters, and its handlers.
    static func entry(
        worker: Worker,
        listener: Listener,
        tls: TLSTable,
        facts: ClientFacts,
        _ finding: ProtocolInspector.Finding
    ) -> Entry {
        let connection = ConnectionFacts(
            destination: facts.destination,
            source: facts.source?.ip,
            serverName: finding.serverName,
            isTLS: finding.isTLS,
            applicationProtocols: finding.applicationProtocols
        )
        guard let chain = listener.chain(for: connection) else {
            facts.listener.counts.noFilterChainMatch += 1
            return .refused
        }
        var facts = facts
        facts.serverName = finding.serverName
        facts.entrance = Entrance(listener, chain)
        guard chain.tls != nil else {
            return .handlers([Self.terminalHandler(worker: worker, chain: chain, facts: facts)])
        }
        switch tls.server(chain) {
        case .success(let server):
            return .handlers(ServerHandshake.handlers(worker: worker, chain: chain, server: server, facts: facts))
        case .failure(let fault):
            ServerHandshake.refuse(fault, worker: worker, chain: chain, facts: facts)
            return .refused
        }
    }

    /// What a connection ends in, once it is known who is there.
    static func terminalHandler(worker: Worker, chain: FilterChain, facts: ClientFacts) -> any ChannelHandler {
        switch chain.terminal {
        case .http(let manager): HTTPEntrance.handler(worker: worker, manager: manager, facts: facts)
        case .tcp(let proxy):
            Tunnel(worker: worker, proxy: proxy, facts: facts, policies: chain.connectionPolicies).makeClientSide()
        }
    }
}

/// Where a redirected connection wanted to go.
enum OriginalDestination {
    // Linux netfilter: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST are both 80.
    private static let option = NIOBSDSocket.Option(rawValue: 80)
    private static let levelFour = NIOBSDSocket.OptionLevel(rawValue: 0)
    private static let levelSix = NIOBSDSocket.OptionLevel(rawValue: 41)

    /// `nil` if the connection was not redirected, or the kernel does not track it.
    static func of(_ channel: any Channel, isSix: Bool) -> NetworkAddress? {
        guard let provider = channel as? any SocketOptionProvider else { return nil }
        var address: NetworkAddress?
        if isSix {
            let future: EventLoopFuture<sockaddr_in6> = provider.unsafeGetSocketOption(
                level: Self.levelSix,
                name: Self.option
            )
            future.assumeIsolated().whenSuccess { raw in
                address = withUnsafeBytes(of: raw) { NetworkAddress(rawSix: $0) }
            }
            if address != nil { return address }
        }
        // A socket of both families answers for a mapped IPv4 connection on the IPv4 level.
        let future: EventLoopFuture<sockaddr_in> = provider.unsafeGetSocketOption(
            level: Self.levelFour,
            name: Self.option
        )
        future.assumeIsolated().whenSuccess { raw in address = withUnsafeBytes(of: raw) { NetworkAddress(rawFour: $0) }
        }
        return address
    }
}
