internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import TrafficEngine

/// The connections of one loop to one endpoint: idle ones to reuse, last used first, and requests that wait for one.
final class EndpointPool {
    let address: NetworkAddress
    let cluster: ClusterRuntime
    /// Its place in the balancer; -1: it has left the cluster.
    var index = -1
    var counts = EndpointCounts()
    private let socketAddress: SocketAddress
    private var idle: [UpstreamConnection] = []
    private var pending: [ServerConnection] = []
    private var connecting = 0
    private var isRetired = false

    init(_ address: NetworkAddress, cluster: ClusterRuntime) {
        self.address = address
        self.cluster = cluster
        self.socketAddress = SocketAddress(address)
    }

    var isUnused: Bool { self.counts.connectionsActive == 0 && self.connecting == 0 && self.pending.isEmpty }

    // MARK: HTTP/1

    enum Acquired {
        case connection(UpstreamConnection)
        /// `connectionReady` or `connectionFailed` of the request's connection will be called.
        case waiting
        case overflow
    }

    /// A connection for one request.
    func acquire(for server: ServerConnection, freshOnly: Bool) -> Acquired {
        if !freshOnly {
            while let connection = self.idle.popLast() {
                if connection.isUsable { return .connection(connection) }
            }
        }
        let limit = self.cluster.limits.pendingRequestsMax
        if limit != .max, self.cluster.counts.requestsPendingActive >= Int(limit) { return .overflow }
        self.pending.append(server)
        self.cluster.counts.requestsPending += 1
        self.cluster.counts.requestsPendingActive += 1
        self.connectIfNeeded()
        return .waiting
    }

    /// A request does not want a connection any more.
    func stopWaiting(_ server: ServerConnection) {
        guard let index = self.pending.firstIndex(where: { $0 === server }) else { return }
        self.pending.remove(at: index)
        self.cluster.counts.requestsPendingActive -= 1
    }

    /// A connection is free: the oldest waiting request gets it, or it stays for later.
    func release(_ connection: UpstreamConnection) {
        if let server = self.takePending() {
            server.connectionReady(connection)
            return
        }
        if self.isRetired || self.cluster.worker.isStopping {
            connection.close()
            return
        }
        self.idle.append(connection)
        connection.becameIdle()
    }

    /// A connection that was open has ended.
    func closed(_ connection: UpstreamConnection) {
        if let index = self.idle.lastIndex(where: { $0 === connection }) { self.idle.remove(at: index) }
        self.connectionClosed()
        self.connectIfNeeded()
    }

    /// The endpoint has left the cluster: no new requests, idle connections are closed.
    func retire() {
        self.isRetired = true
        self.index = -1
        let idle = self.idle
        self.idle.removeAll()
        for connection in idle { connection.close() }
    }

    private func takePending() -> ServerConnection? {
        guard !self.pending.isEmpty else { return nil }
        self.cluster.counts.requestsPendingActive -= 1
        return self.pending.removeFirst()
    }

    private func connectIfNeeded() {
        while self.connecting < self.pending.count {
            let isFirst = self.counts.connectionsActive + self.connecting == 0
            guard self.cluster.mayConnect(isFirst: isFirst) else { return }
            let connection = UpstreamConnection(pool: self)
            self.connecting += 1
            self.connect(connection) { result in
                self.connecting -= 1
                switch result {
                case .success:
                    connection.opened()
                    self.release(connection)
                case .failure(let reason):
                    self.takePending()?.connectionFailed(reason)
                    self.connectIfNeeded()
                }
            }
        }
    }

    // MARK: Any connection

    enum Connected {
        case success
        case failure(EndReason)
    }

    /// Opens a connection with `handler` alone in its pipeline and keeps the counts; `closed` or `connectionClosed`
    /// must follow when it ends.
    func connect(_ handler: any ChannelHandler, _ completion: @escaping (Connected) -> Void) {
        let worker = self.cluster.worker
        let bound = NIOLoopBound(handler, eventLoop: worker.loop)
        self.cluster.connecting += 1
        self.cluster.counts.connections += 1
        self.counts.connections += 1
        var bootstrap = ClientBootstrap(group: worker.loop)
            .connectTimeout(TimeAmount(self.cluster.cluster.connectTimeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.recvAllocator, value: worker.receiveAllocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
        if let source = self.cluster.cluster.sourceAddress, source.bitCount == self.address.ip.bitCount {
            bootstrap = bootstrap.bind(to: SocketAddress(NetworkAddress(ip: source, port: 0)))
        }
        bootstrap.connect(to: self.socketAddress).assumeIsolated().whenComplete { result in
            self.cluster.connecting -= 1
            switch result {
            case .success:
                self.cluster.counts.connectionsActive += 1
                self.counts.connectionsActive += 1
                completion(.success)
            case .failure(let error):
                self.cluster.counts.connectsFailed += 1
                self.counts.connectsFailed += 1
                if case ChannelError.connectTimeout = error {
                    self.cluster.counts.connectsTimedOut += 1
                    completion(.failure(.connectTimedOut))
                } else {
                    completion(.failure(.connectFailed))
                }
            }
        }
    }

    /// Counts the end of a connection that was open.
    func connectionClosed() {
        self.cluster.counts.connectionsActive -= 1
        self.cluster.counts.connectionsDestroyed += 1
        self.counts.connectionsActive -= 1
    }
}
