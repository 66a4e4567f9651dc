internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How an attempt to connect ended.
enum Connected {
    /// `negotiatedProtocol`: what ALPN settled; `nil` without TLS.
    case success(negotiatedProtocol: String?)
    /// `detail`: for the access log's reason of a transport failure; empty: nothing is known.
    case failure(EndReason, detail: String)
}

extension EndpointPool {
    /// Whether a connection may only be used again for the host that it was made for: its hello named that host.
    var variesByHost: Bool {
        guard
            case .success(let tls) = self.cluster.worker.tls.client(self.cluster.cluster.id, transport: self.transport)
        else { return false }
        return tls.usesHostAsServerName
    }

    /// Opens a connection and keeps the counts; `connectionClosed` must follow when one that succeeded ends.
    ///
    /// - Parameters:
    ///   - hostName: the host of the request, for the hello and the certificate's name; `nil`: the endpoint's own.
    ///   - makeHandler: makes the handler that stands alone in the pipeline, or behind TLS alone. Plain: called at
    ///     once, with `nil`; with TLS: when the handshake is done, with what ALPN settled.
    ///   - completion: called once, on the loop, never before this returns; before the handler gets its first byte.
    func connect(
        hostName: String?,
        makeHandler: @escaping (_ negotiatedProtocol: String?) -> any ChannelHandler,
        _ completion: @escaping (Connected) -> Void
    ) {
        let worker = self.cluster.worker
        let attempt = ConnectAttempt(pool: self, completion: completion)
        switch worker.tls.client(self.cluster.cluster.id, transport: self.transport) {
        case nil: self.connect(attempt, host: nil, tls: nil, makeHandler)
        case .success(let tls): self.connect(attempt, host: hostName ?? self.hostname, tls: tls, makeHandler)
        case .failure(let fault):
            self.cluster.counts.tls.noSecret += 1
            worker.loop.assumeIsolated().execute { attempt.finish(.failure(fault.reason, detail: fault.logText)) }
        }
    }

    private func connect(
        _ attempt: ConnectAttempt,
        host: String?,
        tls: ClientTLSContext?,
        _ makeHandler: @escaping (String?) -> any ChannelHandler
    ) {
        let cluster = self.cluster.cluster
        let loop = self.cluster.worker.loop
        let install = NIOLoopBound(
            { (channel: any Channel) throws in
                if let tls {
                    try attempt.secure(channel, tls, host: host, timeout: cluster.connectTimeout, makeHandler)
                } else {
                    try channel.pipeline.syncOperations.addHandler(makeHandler(nil))
                }
            },
            eventLoop: loop
        )
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(cluster.connectTimeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.recvAllocator, value: self.cluster.worker.receiveAllocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try install.value(channel) }
            }
        if let source = cluster.sourceAddress, source.bitCount == self.address.ip.bitCount {
            bootstrap = bootstrap.bind(to: SocketAddress(NetworkAddress(ip: source, port: 0)))
        }
        bootstrap.connect(to: self.socketAddress).assumeIsolated().whenComplete { result in
            switch result {
            case .success: if tls == nil { attempt.finish(.success(negotiatedProtocol: nil)) }
            case .failure(let error): attempt.failed(error)
            }
        }
    }
}

/// One connection that is being made: counted once, completed once.
private final class ConnectAttempt {
    private let pool: EndpointPool
    private var completion: ((Connected) -> Void)?

    init(pool: EndpointPool, completion: @escaping (Connected) -> Void) {
        self.pool = pool
        self.completion = completion
        pool.cluster.connecting += 1
        pool.cluster.counts.connections += 1
        pool.counts.connections += 1
    }

    func finish(_ result: Connected) {
        guard let completion = self.completion else { return }
        self.completion = nil
        let cluster = self.pool.cluster
        cluster.connecting -= 1
        switch result {
        case .success:
            cluster.counts.connectionsActive += 1
            self.pool.counts.connectionsActive += 1
        case .failure(let reason, _):
            cluster.counts.connectsFailed += 1
            self.pool.counts.connectsFailed += 1
            if reason == .connectTimedOut { cluster.counts.connectsTimedOut += 1 }
        }
        completion(result)
    }

    func failed(_ error: any Error) {
        switch error {
        case ChannelError.connectTimeout: self.finish(.failure(.connectTimedOut, detail: "connection_timeout"))
        case let error as IOError:
            let text = String(cString: strerror(error.errnoCode)).map { $0 == " " ? "_" : $0 }
            self.finish(.failure(.connectFailed, detail: "delayed_connect_error:_" + String(text)))
        default: self.finish(.failure(.connectFailed, detail: "connection_failure"))
        }
    }

    /// Puts TLS into the pipeline of a channel that is not connected yet.
    func secure(
        _ channel: any Channel,
        _ tls: ClientTLSContext,
        host: String?,
        timeout: Duration,
        _ makeHandler: @escaping (String?) -> any ChannelHandler
    ) throws {
        let worker = self.pool.cluster.worker
        try tls.secure(channel, host: host, worker: worker, timeout: timeout) { outcome in
            switch outcome {
            case .established(let peer):
                self.pool.cluster.counts.tls.handshakes += 1
                let negotiated = peer.negotiatedProtocol
                return HandshakeHandler.Successor(handler: makeHandler(negotiated)) {
                    self.finish(.success(negotiatedProtocol: negotiated))
                }
            case .timedOut:
                self.pool.cluster.counts.tls.timeouts += 1
                self.finish(.failure(.connectTimedOut, detail: "TLS_handshake_timeout"))
            case .failed(let kind, let detail):
                self.pool.cluster.counts.tls.count(kind)
                worker.reportTLSFailure(
                    cluster: self.pool.cluster.cluster.name,
                    self.pool.address,
                    detail
                )
                self.finish(.failure(.upstreamTLSFailed, detail: detail))
            }
            return nil
        }
    }
}
