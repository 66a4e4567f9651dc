internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Sockets that listen: opened, handed over, closed.
extension ProxyRuntime {
    func listen(_ state: ProxyState) async -> [ListenerFailure] {
        var wanted: [NetworkAddress: Listener] = [:]
        var failures: [ListenerFailure] = []
        for listener in state.listeners where listener.isBound {
            if let other = wanted[listener.address] {
                failures.append(
                    ListenerFailure(
                        listener: listener.name,
                        message:
                            "listener \(listener.name): \(listener.address) belongs to listener \(other.name) already"
                    )
                )
            } else {
                wanted[listener.address] = listener
            }
        }
        let old = self.state.withLock { $0.sockets }
        for (address, sockets) in old {
            guard let listener = wanted[address] else {
                self.state.withLock { $0.sockets[address] = nil }
                for socket in sockets { socket.channel.close(promise: nil) }
                continue
            }
            await self.use(listener, sockets)
        }
        for (address, listener) in wanted where old[address] == nil {
            if self.state.withLock({ $0.isDraining }) { break }
            do {
                let sockets = try await self.bind(listener)
                self.state.withLock { $0.sockets[address] = sockets }
                self.logger.info(
                    "listening",
                    metadata: ["listener": "\(listener.name)", "address": "\(sockets.first?.address ?? address)"]
                )
            } catch {
                failures.append(ListenerFailure(listener: listener.name, message: Self.message(error, address)))
            }
        }
        return failures
    }

    /// The address stays open, under another listener.
    func use(_ listener: Listener, _ sockets: [ListeningSocket]) async {
        for socket in sockets {
            // Fails only when the loop has been shut down.
            _ = try? await socket.acceptor.onLoop { $0.use(listener) }
        }
        self.state.withLock { state in
            state.sockets[listener.address] = sockets.map { socket in
                var socket = socket
                socket.listenerName = listener.name
                return socket
            }
        }
    }

    private func bind(_ listener: Listener) async throws -> [ListeningSocket] {
        let workers = self.workers
        var sockets: [ListeningSocket] = []
        var address = listener.address
        do {
            if workers.count > 1, address.port != 0 {
                // With SO_REUSEPORT a second proxy could take half of the connections unseen: first see that the
                // address is free.
                try await self.probe(address)
            }
            for worker in workers {
                let bound = address
                let socket = try await worker.onLoop { worker in
                    Self.bind(listener, at: bound, worker: worker, sharesPort: workers.count > 1)
                }.get()
                sockets.append(socket)
                // Port 0 becomes one port for all loops.
                address.port = socket.address.port
            }
            return sockets
        } catch {
            for socket in sockets { socket.channel.close(promise: nil) }
            throw error
        }
    }

    private func probe(_ address: NetworkAddress) async throws {
        guard let loop = self.workers.first?.eventLoop else { return }
        let channel = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(to: SocketAddress(address)).get()
        try await channel.close()
    }

    private static func bind(
        _ listener: Listener,
        at address: NetworkAddress,
        worker: Worker,
        sharesPort: Bool
    ) -> EventLoopFuture<ListeningSocket> {
        let acceptor = NIOLoopBound(Acceptor(worker: worker, listener: listener), eventLoop: worker.loop)
        var bootstrap = ServerBootstrap(group: worker.loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                // Out of file descriptors: wait a little instead of trying without pause.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: worker.receiveAllocator)
            .childChannelInitializer { channel in acceptor.value.accept(channel) }
        if sharesPort {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
        }
        return bootstrap.bind(to: SocketAddress(address)).map { channel in
            ListeningSocket(
                channel: channel,
                acceptor: acceptor,
                address: channel.localAddress.flatMap(NetworkAddress.init) ?? address,
                listenerName: listener.name
            )
        }
    }

    static func message(_ error: any Error, _ address: NetworkAddress) -> String {
        guard let error = error as? IOError else { return "cannot bind \(address): \(error)" }
        switch error.errnoCode {
        case EADDRINUSE: return "cannot bind \(address): address in use; is another proxy running?"
        case EACCES: return "cannot bind \(address): permission denied; ports below 1024 need a capability or root"
        case EADDRNOTAVAIL: return "cannot bind \(address): this machine has no such address"
        default: return "cannot bind \(address): \(error.localizedReason)"
        }
    }
}

extension IOError {
    fileprivate var localizedReason: String { String(cString: strerror(self.errnoCode)) }
}
