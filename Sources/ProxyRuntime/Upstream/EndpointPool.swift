internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import TrafficEngine

/// The connections of one loop to one endpoint: idle ones to reuse, last used first, and requests that wait for one.
final class EndpointPool {
    let address: NetworkAddress
    /// Index into the cluster's transports: connections with and without TLS are never mixed.
    let transport: Int
    /// The name that the address came from, if one is known.
    let hostname: String?
    let cluster: ClusterRuntime
    /// Its place in the balancer; -1: it has left the cluster.
    var index = -1
    var counts = EndpointCounts()
    let socketAddress: SocketAddress
    /// Connections are secured by TLS.
    private let isSecure: Bool
    /// It is of the mesh: with the certificates of the mesh both sides prove who they are.
    let isOfMesh: Bool
    private var idle: [UpstreamConnection] = []
    /// Connections of HTTP/2 that may take streams, busy or not.
    private var multiplexed: [HTTP2ClientConnection] = []
    private var pending: [Pending] = []
    private var connecting = Connecting()
    /// What ALPN settled last, where it is up to that; a guess at how many connections are needed.
    private var settlesOnHTTP2 = false
    private var isRetired = false

    /// A request that waits for a connection.
    private struct Pending {
        var server: ServerExchange
        var need: Need
    }

    /// What a request's connection must speak.
    enum Version: Hashable { case http1, http2, either }

    /// What a connection must be like for a request; one that is made for this serves no other.
    private struct Need: Hashable {
        var version: Version
        /// In the hello of a connection that may only carry requests for this host.
        var host: String?
    }

    /// Connections that are being made.
    private struct Connecting {
        private(set) var all = 0
        private var counts: [Need: Int] = [:]

        func count(for need: Need) -> Int { self.counts[need] ?? 0 }

        mutating func began(_ need: Need) {
            self.all += 1
            self.counts[need, default: 0] += 1
        }

        mutating func ended(_ need: Need) {
            self.all -= 1
            let left = self.count(for: need) - 1
            self.counts[need] = left > 0 ? left : nil
        }
    }

    init(_ address: NetworkAddress, transport: Int = 0, hostname: String? = nil, cluster: ClusterRuntime) {
        self.address = address
        self.transport = transport
        self.hostname = hostname
        self.cluster = cluster
        self.socketAddress = SocketAddress(address)
        let transports = cluster.cluster.transports
        let tls = transport < transports.count ? transports[transport] : nil
        self.isSecure = tls != nil
        self.isOfMesh = tls?.isOfMesh ?? false
    }

    var isUnused: Bool { self.counts.connectionsActive == 0 && self.connecting.all == 0 && self.pending.isEmpty }

    // MARK: Requests

    enum Acquired {
        case connection(any UpstreamCarrier)
        /// `connectionReady` or `connectionFailed` of the request will be called.
        case waiting
        case overflow
    }

    /// A connection, or a stream on one, for one request.
    func acquire(for server: ServerExchange, freshOnly: Bool) -> Acquired {
        let version = self.version(for: server)
        let host = self.isSecure && self.variesByHost ? server.hostName : nil
        if let carrier = self.available(version, host, freshOnly: freshOnly) { return .connection(carrier) }
        let limit = self.cluster.limits.pendingRequestsMax
        if limit != .max, self.cluster.counts.requestsPendingActive >= Int(limit) { return .overflow }
        self.pending.append(Pending(server: server, need: Need(version: version, host: host)))
        self.cluster.counts.requestsPending += 1
        self.cluster.counts.requestsPendingActive += 1
        self.connectIfNeeded()
        return .waiting
    }

    private func version(for server: ServerExchange) -> Version {
        switch self.cluster.cluster.httpVersion {
        case .http1: .http1
        case .http2: server.awaitsUpgrade ? .http1 : .http2
        case .negotiated: server.awaitsUpgrade ? .http1 : .either
        case .asDownstream: server.isHTTP2 ? .http2 : .http1
        }
    }

    private func available(_ version: Version, _ host: String?, freshOnly: Bool) -> (any UpstreamCarrier)? {
        if version != .http1 {
            for connection in self.multiplexed where connection.host == host {
                if freshOnly, connection.wasUsed { continue }
                if let stream = connection.takeStream() { return stream }
            }
        }
        if version != .http2, !freshOnly {
            while let index = self.idle.lastIndex(where: { $0.host == host }) {
                let connection = self.idle.remove(at: index)
                if connection.isUsable { return connection }
            }
        }
        return nil
    }

    /// A request does not want a connection any more.
    func stopWaiting(_ server: ServerExchange) {
        guard let index = self.pending.firstIndex(where: { $0.server === server }) else { return }
        self.pending.remove(at: index)
        self.cluster.counts.requestsPendingActive -= 1
    }

    /// A connection of HTTP/1 is free: the oldest waiting request gets it, or it stays for later.
    func release(_ connection: UpstreamConnection) {
        if let waiting = self.takePending({ $0.need.version != .http2 && $0.need.host == connection.host }) {
            waiting.server.connectionReady(connection)
            return
        }
        if self.isRetired || self.cluster.worker.isStopping {
            connection.close()
            return
        }
        self.idle.append(connection)
        connection.becameIdle()
    }

    /// A connection of HTTP/2 may take more streams: requests that wait get them.
    func streamsAvailable(_ connection: HTTP2ClientConnection) {
        while !self.pending.isEmpty {
            guard connection.mayTakeStream,
                let waiting = self.takePending({ $0.need.version != .http1 && $0.need.host == connection.host })
            else { return }
            guard let stream = connection.takeStream() else {
                waiting.server.connectionFailed(.upstreamReset, detail: "")
                return
            }
            waiting.server.connectionReady(stream)
        }
        if self.isRetired || self.cluster.worker.isStopping { connection.drain() }
    }

    /// A connection of HTTP/2 takes no more streams.
    func exhausted(_ connection: HTTP2ClientConnection) {
        self.multiplexed.removeAll { $0 === connection }
        self.connectIfNeeded()
    }

    /// A connection that was open has ended.
    func closed(_ connection: UpstreamConnection) {
        if let index = self.idle.lastIndex(where: { $0 === connection }) { self.idle.remove(at: index) }
        self.connectionClosed()
        self.connectIfNeeded()
    }

    func closed(_ connection: HTTP2ClientConnection) {
        self.multiplexed.removeAll { $0 === connection }
        self.connectionClosed()
        self.connectIfNeeded()
    }

    /// The endpoint has left the cluster: no new requests, idle connections are closed, busy ones finish.
    func retire() {
        self.isRetired = true
        self.index = -1
        let idle = self.idle
        self.idle.removeAll()
        for connection in idle { connection.close() }
        let multiplexed = self.multiplexed
        self.multiplexed.removeAll()
        for connection in multiplexed { connection.drain() }
    }

    private func takePending(_ fits: (Pending) -> Bool) -> Pending? {
        guard let index = self.pending.firstIndex(where: fits) else { return nil }
        self.cluster.counts.requestsPendingActive -= 1
        return self.pending.remove(at: index)
    }

    /// Opens connections until every waiting request has one to come.
    private func connectIfNeeded() {
        guard !self.pending.isEmpty else { return }
        for version in [Version.http1, .http2, .either] {
            while let next = self.nextUnserved(version) {
                let isFirst = self.counts.connectionsActive + self.connecting.all == 0
                guard self.cluster.mayConnect(isFirst: isFirst) else { return }
                self.connect(for: next)
            }
        }
    }

    /// What the first waiting request of its kind needs that no connection under way is for.
    private func nextUnserved(_ version: Version) -> Need? {
        let perConnection =
            self.isMultiplexed(version) ? max(1, Int(self.cluster.cluster.http2.concurrentStreamsMax)) : 1
        var rest: [Need: Int] = [:]
        for waiting in self.pending where waiting.need.version == version {
            let places = rest[waiting.need] ?? self.connecting.count(for: waiting.need) * perConnection
            if places == 0 { return waiting.need }
            rest[waiting.need] = places - 1
        }
        return nil
    }

    private func isMultiplexed(_ version: Version) -> Bool {
        version == .http2 || (version == .either && self.settlesOnHTTP2)
    }

    private func connect(for need: Need) {
        let version = need.version
        self.connecting.began(need)
        var made: Made?
        self.connect(hostName: need.host) { negotiated in
            let speaksHTTP2: Bool
            switch version {
            case .http1: speaksHTTP2 = false
            case .http2: speaksHTTP2 = true
            case .either: speaksHTTP2 = negotiated.flatMap(MeshALPN.content(negotiated:)) == .http2
            }
            if speaksHTTP2 {
                let connection = HTTP2ClientConnection(pool: self, host: need.host, isSecure: self.isSecure)
                made = .http2(connection)
                return connection
            }
            let connection = UpstreamConnection(pool: self, host: need.host)
            made = .http1(connection)
            return connection
        } _: { result in
            self.connecting.ended(need)
            switch (result, made) {
            case (.success, .http1(let connection)):
                if version == .either { self.settlesOnHTTP2 = false }
                connection.opened()
                self.release(connection)
                self.connectIfNeeded()
            case (.success, .http2(let connection)):
                if version == .either { self.settlesOnHTTP2 = true }
                connection.opened()
                self.multiplexed.append(connection)
                self.streamsAvailable(connection)
                connection.becomeIdleIfUnused()
                self.connectIfNeeded()
            case (.success, nil): ()
            case (.failure(let reason, let detail), _):
                self.connectFailed(for: need, reason, detail)
                self.connectIfNeeded()
            }
            self.cluster.worker.flushWaiting()
        }
    }

    /// A connection did not come about: the request that it was for ends.
    ///
    /// One of HTTP/2 was for all that wait, and with no other under way none of them has anything left to hope for.
    /// To let each wait for a connection of its own would hold the last one up by as many timeouts.
    private func connectFailed(for need: Need, _ reason: EndReason, _ detail: String) {
        guard self.isMultiplexed(need.version), self.connecting.count(for: need) == 0 else {
            self.takePending { $0.need == need }?.server.connectionFailed(reason, detail: detail)
            return
        }
        // Taken out before any of them hears of it: a request may come back at once for another attempt.
        let failed = self.pending.filter { $0.need == need }
        self.pending.removeAll { $0.need == need }
        self.cluster.counts.requestsPendingActive -= failed.count
        // One that has gone meanwhile waits for nothing.
        for waiting in failed where waiting.server.waitingPool === self {
            waiting.server.connectionFailed(reason, detail: detail)
        }
    }

    private enum Made {
        case http1(UpstreamConnection)
        case http2(HTTP2ClientConnection)
    }

    /// Counts the end of a connection that was open.
    func connectionClosed() {
        self.cluster.counts.connectionsActive -= 1
        self.cluster.counts.connectionsDestroyed += 1
        self.counts.connectionsActive -= 1
    }
}
