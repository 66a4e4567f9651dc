package import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
package import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The data plane: listeners, connections and requests of one proxy.
///
/// One event loop per worker; a connection and all its upstream connections live on one of them. States are handed
/// over as a whole; call `apply` one after another, never twice at once.
package final class ProxyRuntime: Sendable {
    private let options: ProxyRuntimeOptions
    let logger: Logger
    let state = Mutex(State())
    private let rooms: WaitingRooms
    /// Writes access logs, so that a slow disk does not hold up a loop.
    private let logThread = NIOThreadPool(numberOfThreads: 1)

    struct State {
        var group: MultiThreadedEventLoopGroup?
        var workers: [NIOLoopBound<Worker>] = []
        var sockets: [NetworkAddress: [ListeningSocket]] = [:]
        var files: [String: LogFile] = [:]
        var resolvers: [ClusterID: Resolver] = [:]
        var isDraining = false
        var contexts = TLSContexts()
        /// What is applied now.
        var applied = ProxyState()
        var tls = TLSTable.empty
        /// What was said to be missing.
        var secretsMissing: Set<String> = []
        /// Looks after the files that TLS reads.
        var watch: Task<Void, Never>?
        /// Runs the lookups that connections ask for.
        var lookups: Task<Void, Never>?
    }

    /// One loop's part of a listening address.
    struct ListeningSocket: Sendable {
        var channel: any Channel
        var acceptor: NIOLoopBound<Acceptor>
        var address: NetworkAddress
        var listenerName: String
    }

    /// The task that keeps a DNS cluster's addresses fresh.
    struct Resolver {
        var cluster: Cluster
        var task: Task<Void, Never>
    }

    package init(options: ProxyRuntimeOptions, logger: Logger) {
        self.options = options
        self.logger = logger
        self.rooms = WaitingRooms(waitingMax: options.heldRequestsMax, reporter: options.activationReporter)
    }

    /// Starts the event loops; nothing listens until a state is applied.
    package func start() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.options.concurrency)
        self.logThread.start()
        let lookups = NameLookups(self.options.resolve)
        var workers: [NIOLoopBound<Worker>] = []
        for loop in group.makeIterator() {
            let options = self.options
            let logger = self.logger
            let rooms = self.rooms
            let worker = try await loop.submit {
                let seed = UInt64.random(in: .min ... .max)
                let worker = Worker(
                    loop: loop,
                    options: options,
                    lookups: lookups,
                    rooms: rooms,
                    logger: logger,
                    seed: seed
                )
                worker.startTicking()
                return NIOLoopBound(worker, eventLoop: loop)
            }.get()
            workers.append(worker)
        }
        self.state.withLock { state in
            state.group = group
            state.workers = workers
            // Ends with `stop`.
            state.lookups = Task { await lookups.run() }
        }
    }

    /// Replaces what the proxy does; returns the listeners that could not be opened. The others work.
    package func apply(_ state: ProxyState) async -> [ListenerFailure] {
        var failures: [ListenerFailure] = []
        var state = state
        let logs = self.prepareLogs(&state, &failures)
        let (tls, faults) = self.prepareTLS(state)
        failures += faults
        await self.hand(state, tls, logs)
        self.rooms.use(state)
        self.watchFiles()
        failures += await self.listen(state)
        self.resolve(state)
        return failures
    }

    /// Tells the autoscaler about the requests of revisions; to be called each second.
    package func reportActivations() { self.rooms.report() }

    /// What all loops have counted.
    package func statistics() async -> ProxyStatistics {
        var sum = ProxyStatistics()
        for worker in self.workers {
            // A loop that has been shut down has nothing to say any more.
            if let own = try? await worker.onLoop({ $0.statistics }) { sum.merge(own) }
        }
        (sum.activations, sum.activationsLeft) = self.rooms.statistics
        return sum
    }

    /// Where each bound listener listens: the port that was asked for, or the one that port 0 became.
    package func boundAddresses() -> [String: NetworkAddress] {
        self.state.withLock { state in
            var addresses: [String: NetworkAddress] = [:]
            for sockets in state.sockets.values {
                for socket in sockets { addresses[socket.listenerName] = socket.address }
            }
            return addresses
        }
    }

    /// Stops accepting, and waits until the last connection has ended or `limit` is over.
    package func drain(_ limit: Duration) async {
        let sockets = self.state.withLock { state in
            state.isDraining = true
            defer { state.sockets.removeAll() }
            return state.sockets.values.flatMap { $0 }
        }
        for socket in sockets { socket.channel.close(promise: nil) }
        let clock = ContinuousClock()
        let end = clock.now + limit
        for worker in self.workers { _ = try? await worker.onLoop { $0.startDraining() } }  // gone: nothing to drain
        while clock.now < end {
            var open = 0
            for worker in self.workers { open += (try? await worker.onLoop { $0.connections.count }) ?? 0 }
            if open == 0 { return }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
    }

    /// Closes everything and ends the event loops.
    package func stop() async {
        let (group, sockets, tasks) = self.state.withLock { state in
            defer {
                state.sockets.removeAll()
                state.resolvers.removeAll()
                (state.watch, state.lookups) = (nil, nil)
            }
            let tasks = state.resolvers.values.map(\.task) + [state.watch, state.lookups].compactMap { $0 }
            return (state.group, state.sockets.values.flatMap { $0 }, tasks)
        }
        for task in tasks { task.cancel() }
        for socket in sockets { socket.channel.close(promise: nil) }
        self.rooms.stop()
        for worker in self.workers { _ = try? await worker.onLoop { $0.stop() } }  // gone: nothing to close
        self.state.withLock { state in
            state.workers.removeAll()
            state.group = nil
            state.files.removeAll()
        }
        do {
            try await group?.shutdownGracefully()
            try await self.logThread.shutdownGracefully()
        } catch {
            self.logger.warning("event loops did not end in order", metadata: ["error": "\(error)"])
        }
    }

    var workers: [NIOLoopBound<Worker>] { self.state.withLock { $0.workers } }

    // MARK: Access logs

    private struct Logs: Sendable {
        var files: [String: LogFile] = [:]
        var formats: [AccessLogConfiguration: LogFormat] = [:]
    }

    /// Opens files and compiles formats; a listener whose log cannot be written is left out and reported.
    private func prepareLogs(_ state: inout ProxyState, _ failures: inout [ListenerFailure]) -> Logs {
        var logs = Logs()
        logs.files = self.state.withLock { $0.files }
        state.listeners.removeAll { listener in
            do {
                for configuration in listener.accessLogs where logs.formats[configuration] == nil {
                    logs.formats[configuration] = try LogFormat(configuration.format)
                    if logs.files[configuration.path] == nil {
                        logs.files[configuration.path] = try LogFile(path: configuration.path, pool: self.logThread)
                    }
                }
                return false
            } catch {
                failures.append(
                    ListenerFailure(listener: listener.name, message: "listener \(listener.name): \(error)")
                )
                return true
            }
        }
        self.state.withLock { [files = logs.files] in $0.files = files }
        return logs
    }

    private func hand(_ state: ProxyState, _ tls: TLSTable, _ logs: Logs) async {
        for worker in self.workers {
            // Fails only when the loop has been shut down.
            _ = try? await worker.onLoop { $0.use(state, tls: tls, files: logs.files, formats: logs.formats) }
        }
    }

    // MARK: TLS

    /// Makes the contexts of a state; chains and clusters whose secrets are broken are reported, and refuse.
    private func prepareTLS(_ applied: ProxyState) -> (TLSTable, [ListenerFailure]) {
        let (table, faults, isNew) = self.state.withLock { state in
            let (table, faults) = state.contexts.table(for: applied, after: state.tls)
            let missing = Set(faults.values.filter { $0.reason == .noSecret }.map(\.message))
            let isNew = missing.subtracting(state.secretsMissing)
            state.secretsMissing = missing
            state.tls = table
            state.applied = applied
            return (table, faults, isNew)
        }
        self.options.serviceConnector?.use(table)
        // What is missing may still come, and is no failure; but somebody may wonder.
        for message in isNew.sorted().prefix(16) {
            self.logger.info("TLS waits for a secret or file", metadata: ["reason": "\(message)"])
        }
        let failures = faults.filter { $0.value.reason != .noSecret }.sorted { $0.key < $1.key }
        return (
            table,
            failures.map { ListenerFailure(listener: $0.key, message: "\($0.key): \($0.value.message)") }
        )
    }

    /// How often files are looked at, and how long they must have been quiet to be read.
    static let (watchInterval, watchQuiet) = (Duration.milliseconds(500), Duration.milliseconds(100))

    /// Starts looking after files as soon as a state names some.
    private func watchFiles() {
        self.state.withLock { state in
            guard state.watch == nil, !state.contexts.files.isEmpty else { return }
            state.watch = Task { [weak self] in
                while !Task.isCancelled {
                    do { try await Task.sleep(for: Self.watchInterval) } catch { return }
                    guard let self else { return }
                    guard await self.filesAreQuiet() else { continue }
                    await self.readFilesAgain()
                }
            }
        }
    }

    /// Whether files have changed and are not being written any more.
    private func filesAreQuiet() async -> Bool {
        let known = self.state.withLock { $0.contexts.files }
        func stamps() -> [String: FileStamp] {
            known.keys.reduce(into: [:]) { $0[$1] = FileStamp(path: $1) ?? .absent }
        }
        let now = stamps()
        guard now != known else { return false }
        do { try await Task.sleep(for: Self.watchQuiet) } catch { return false }
        return stamps() == now
    }

    private func readFilesAgain() async {
        let applied = self.state.withLock { $0.applied }
        let (table, failures) = self.prepareTLS(applied)
        for failure in failures {
            self.logger.warning("certificate file cannot be used", metadata: ["reason": "\(failure.message)"])
        }
        for worker in self.workers {
            // Fails only when the loop has been shut down.
            _ = try? await worker.onLoop { $0.use(tls: table) }
        }
        self.logger.info("certificate files read again")
    }

    // MARK: Names of clusters

    /// Keeps a task for each DNS cluster of the state, and ends those of clusters that have gone or changed.
    private func resolve(_ state: ProxyState) {
        self.state.withLock { own in
            for (id, resolver) in own.resolvers {
                let cluster = state.cluster(id)
                if let cluster, cluster.discovery == resolver.cluster.discovery { continue }
                resolver.task.cancel()
                own.resolvers[id] = nil
            }
            for case .some(let cluster) in state.clusters where own.resolvers[cluster.id] == nil {
                guard case .dns(let endpoints, let keepsOne, let refresh) = cluster.discovery else { continue }
                let workers = own.workers
                let resolve = self.options.resolve
                let task = Task {
                    while !Task.isCancelled {
                        var found: [ClusterEndpoint] = []
                        var pause: Duration?
                        var isDenied = false
                        for endpoint in endpoints {
                            let answer = await resolve(endpoint.host)
                            if let ttl = answer.ttl { pause = min(pause ?? ttl, ttl) }
                            isDenied = isDenied || answer.isDenied
                            let addresses = answer.addresses
                            for ip in keepsOne ? Array(addresses.prefix(1)) : addresses {
                                let address = NetworkAddress(ip: ip, port: endpoint.port)
                                found.append(
                                    ClusterEndpoint(
                                        address: address,
                                        weight: endpoint.weight,
                                        transport: endpoint.transport,
                                        priority: endpoint.priority,
                                        locality: endpoint.locality,
                                        localityWeight: endpoint.localityWeight,
                                        hostname: endpoint.host
                                    )
                                )
                            }
                        }
                        if Task.isCancelled { return }
                        for worker in workers {
                            let (addresses, wasDenied) = (found, isDenied)
                            worker.eventLoop.execute {
                                worker.value.resolved(cluster, addresses, isDenied: wasDenied)
                            }
                        }
                        // An answer says itself how long it holds; without one the next try comes sooner.
                        let usual = found.isEmpty ? min(refresh, .seconds(1)) : refresh
                        let wait = max(pause ?? usual, .milliseconds(100))
                        do { try await Task.sleep(for: wait) } catch { return }
                    }
                }
                own.resolvers[cluster.id] = Resolver(cluster: cluster, task: task)
            }
        }
    }
}

extension NIOLoopBound {
    /// Runs `body` where the value lives.
    func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (Value) -> Result
    ) async throws -> Result {
        try await self.eventLoop.submit { body(self.value) }.get()
    }
}

extension Listener {
    /// The access logs of all its chains.
    fileprivate var accessLogs: [AccessLogConfiguration] {
        var chains = self.chains
        if let chain = self.defaultChain { chains.append(chain) }
        return chains.flatMap { chain in
            switch chain.terminal {
            case .http(let manager): manager.accessLogs
            case .tcp(let proxy): proxy.accessLogs
            }
        }
    }
}
