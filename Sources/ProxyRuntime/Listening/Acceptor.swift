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
        if listener.usesOriginalDestination {
            guard facts.isRedirected else {
                // Nobody was redirected: passing it on would bring it back here (facts #62).
                counters.counts.loops += 1
                throw ChannelError.unknownLocalAddress
            }
            listener = self.worker.table.listener(for: facts.destination) ?? listener
        }
        if listener.inspectsHTTP || listener.inspectsTLS {
            let inspection = InspectionHandler(worker: self.worker, listener: listener, facts: facts)
            try channel.pipeline.syncOperations.addHandler(inspection)
            return
        }
        guard
            let handler = Self.handler(
                worker: self.worker,
                listener: listener,
                facts: facts,
                ProtocolInspector.Finding()
            )
        else { throw ChannelError.unknownLocalAddress }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// The handler of the chain that a connection enters; `nil`: no chain matches, which is counted.
    static func handler(
        worker: Worker,
        listener: Listener,
        facts: ClientFacts,
        _ finding: ProtocolInspector.Finding
    ) -> (any ChannelHandler)? {
        let connection = ConnectionFacts(
            destination: facts.destination,
            source: facts.source?.ip,
            serverName: finding.serverName,
            isTLS: finding.isTLS,
            applicationProtocols: finding.applicationProtocols
        )
        guard let chain = listener.chain(for: connection) else {
            facts.listener.counts.noFilterChainMatch += 1
            return nil
        }
        var facts = facts
        facts.serverName = finding.serverName
        switch chain.terminal {
        case .http(let manager): return ServerConnection(worker: worker, manager: manager, facts: facts)
        case .tcp(let proxy): return Tunnel(worker: worker, proxy: proxy, facts: facts).makeClientSide()
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
