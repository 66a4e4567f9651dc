internal import Logging
internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import TrafficEngine

/// One event loop and all that lives on it: sockets, pools, timers, counters. Nothing of it is shared.
final class Worker {
    let loop: any EventLoop
    let options: ProxyRuntimeOptions
    let lookups: NameLookups
    let rooms: WaitingRooms
    let logger: Logger
    /// Small first reads: a connection that only carries small messages shall not hold a large buffer.
    let receiveAllocator = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 65536)
    private(set) var state = ProxyState()
    /// Contexts for handshakes that begin now.
    private(set) var tls = TLSTable.empty
    /// Grows with every state, whatever its revision says.
    private(set) var stateNumber = 0
    private(set) var table = ListenerTable([])
    /// Blocks whose addresses stand for names that this proxy gave them to; usually none.
    private(set) var mintedBlocks: [CIDR] = []
    private(set) var isDraining = false
    private(set) var isStopping = false
    var wheel = TimerWheel()
    /// Connections that are open now, by identity, to be closed at the end.
    var connections: [ObjectIdentifier: any Channel] = [:]
    private var blocked = BlockedCounter()
    /// Failures of TLS that were logged, and until when they are not logged again.
    private var reportedFailures: [String: Int] = [:]
    private var clusters: [ClusterRuntime?] = []
    /// Made when a connection first names its cluster itself; `nil` after every new state.
    private var clusterNames: [String: ClusterID]?
    /// Made when DNS-bound egress first asks; `nil` after clusters have come or gone.
    private var registryNames: RegistryNames?
    /// Clusters that have gone keep what they counted, by name.
    private var retired: [String: ClusterStatistics] = [:]
    private var listeners: [String: ListenerCounters] = [:]
    private var http: [String: HTTPCounters] = [:]
    private var tcp: [String: TCPCounters] = [:]
    private var policies: [String: PolicyCounters] = [:]
    /// Made when a policy first needs it.
    private var mixerSession: MixerSession?
    private var sinks: [String: LogSink] = [:]
    private var logs: [AccessLogConfiguration: AccessLog] = [:]
    private var scratch: [ByteBuffer] = []
    /// Takes apart the heads of HTTP/2, one at a time.
    let assembler = HeadAssembler()
    /// What peers' certificates say.
    var certificates = CertificateReadings()
    /// What HTTP/2 counts about its clients' connections.
    var http2 = HTTP2Counts()
    private var waitingForFlush: [any Flushing] = []
    private var generator: SeededGenerator
    private var ticking: RepeatedTask?

    init(
        loop: any EventLoop,
        options: ProxyRuntimeOptions,
        lookups: NameLookups,
        rooms: WaitingRooms,
        logger: Logger,
        seed: UInt64
    ) {
        self.lookups = lookups
        self.rooms = rooms
        self.loop = loop
        self.options = options
        self.logger = logger
        self.generator = SeededGenerator(seed: seed)
    }

    // MARK: Time

    /// Starts the coarse clock.
    func startTicking() {
        let period = TimeAmount.milliseconds(Int64(Tick.milliseconds))
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.ticking = self.loop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    func tick() {
        self.wheel.advance()
        while let (id, target) = self.wheel.popDue() {
            if let next = target.timerFired(tick: self.wheel.now), next != Tick.never {
                self.wheel.arm(id, by: max(next, self.wheel.now + 1))
            }
        }
        for sink in self.sinks.values { sink.flush() }
        self.flushWaiting()
    }

    // MARK: Configuration

    /// Makes `state` what new connections and requests see.
    func use(
        _ state: ProxyState,
        tls: TLSTable,
        files: [String: LogFile],
        formats: [AccessLogConfiguration: LogFormat]
    ) {
        self.use(tls: tls)
        for (path, file) in files where self.sinks[path] == nil { self.sinks[path] = LogSink(file) }
        for (configuration, format) in formats where self.logs[configuration] == nil {
            guard let sink = self.sinks[configuration.path] else { continue }
            self.logs[configuration] = AccessLog(format: format, sink: sink)
        }
        self.useClusters(state.clusters)
        self.table = ListenerTable(state.listeners)
        self.mintedBlocks = state.mintedWildcards.blocks
        self.state = state
        self.stateNumber += 1
    }

    /// Secrets or files have changed: handshakes from now on use what is in them.
    func use(tls: TLSTable) {
        // They are made one after the other, but may come here out of turn.
        if tls.number >= self.tls.number { self.tls = tls }
    }

    private func useClusters(_ clusters: [Cluster?]) {
        self.clusterNames = nil
        while self.clusters.count < clusters.count { self.clusters.append(nil) }
        for index in self.clusters.indices {
            let new = index < clusters.count ? clusters[index] : nil
            switch (self.clusters[index], new) {
            case (nil, nil): ()
            case (nil, .some(let cluster)):
                self.registryNames = nil
                self.clusters[index] = ClusterRuntime(cluster, worker: self)
            case (.some(let old), nil):
                self.registryNames = nil
                self.retire(old)
                self.clusters[index] = nil
            case (.some(let old), .some(let cluster)):
                if old.cluster !== cluster { old.replace(cluster) }
            }
        }
    }

    private func retire(_ cluster: ClusterRuntime) {
        let statistics = cluster.statistics
        cluster.retire()
        // Bounded: names come from the configuration, but over a long life there may be many.
        guard self.retired.count < 4096 else { return }
        var kept = statistics
        kept.endpoints = []
        self.retired[cluster.cluster.statName] = self.retired[cluster.cluster.statName].map { $0.adding(kept) } ?? kept
    }

    /// What serves new connections that come in there; `nil` if none can.
    func manager(at entrance: Entrance) -> HTTPConnectionManager? {
        guard let listener = self.state.listeners.first(where: { $0.name == entrance.listener }) else { return nil }
        let isThis = { (chain: FilterChain) in chain.name == entrance.chain && chain.match == entrance.match }
        let chain = listener.chains.first(where: isThis) ?? listener.defaultChain.flatMap { isThis($0) ? $0 : nil }
        guard let chain, case .http(let manager) = chain.terminal else { return nil }
        return manager
    }

    func cluster(_ id: ClusterID) -> ClusterRuntime? {
        id.index < self.clusters.count ? self.clusters[id.index] : nil
    }

    /// The cluster that a server name spells.
    func cluster(named name: String) -> ClusterRuntime? {
        let names: [String: ClusterID]
        if let known = self.clusterNames {
            names = known
        } else {
            names = self.clusters.reduce(into: [:]) { names, cluster in
                if let cluster { names[cluster.cluster.name.lowercased()] = cluster.cluster.id }
            }
            self.clusterNames = names
        }
        return names[name].flatMap { self.cluster($0) }
    }

    /// What DNS-bound egress says about a connection of the workload that came in by `listener`; `nil`: it is off.
    func egressGrant(at listener: Listener, to address: IPAddress) -> EgressGrant? {
        let own = listener.usesOriginalDestination ? self.options.dnsBoundEgressMode : nil
        guard var binding = listener.dnsBoundEgress ?? own.map({ _ in DNSBoundEgress() }) else { return nil }
        binding.mode = self.options.dnsBoundEgressMode ?? binding.mode
        guard binding.mode != .off else { return nil }
        let registry = self.registryNames ?? RegistryNames(self.state.clusters)
        self.registryNames = registry
        return EgressGrant(
            binding,
            to: address,
            names: self.options.namesGiven(address, binding.grace),
            registry: listener.passesUndeclared ? nil : registry
        )
    }

    /// New addresses of a DNS cluster; ignored if the cluster has changed since they were asked for.
    func resolved(_ cluster: Cluster, _ endpoints: [ClusterEndpoint], isDenied: Bool) {
        guard let runtime = self.cluster(cluster.id), runtime.cluster.discovery == cluster.discovery else { return }
        runtime.resolved(endpoints, isDenied: isDenied)
    }

    // MARK: What connections need

    func random() -> UInt64 { self.generator.next() }

    /// An empty buffer for one outgoing run, lent until `returnScratch`.
    func takeScratch() -> ByteBuffer {
        guard var buffer = self.scratch.popLast() else { return ByteBufferAllocator().buffer(capacity: 8192) }
        buffer.clear()
        return buffer
    }

    func returnScratch(_ buffer: ByteBuffer) { if self.scratch.count < 4 { self.scratch.append(buffer) } }

    /// Sends what `connection` has written when the event that is being handled is over: what many streams write
    /// then is one write to the socket.
    func flushLater(_ connection: any Flushing) {
        if self.waitingForFlush.isEmpty {
            // Whoever forgets `flushWaiting` is late, and not lost.
            let bound = NIOLoopBound(self, eventLoop: self.loop)
            self.loop.execute { bound.value.flushWaiting() }
        }
        self.waitingForFlush.append(connection)
    }

    /// The end of an event: all that was written goes out.
    @inline(__always)
    func flushWaiting() { if !self.waitingForFlush.isEmpty { self.flushAll() } }

    private func flushAll() {
        while let connection = self.waitingForFlush.popLast() { connection.flushNow() }
    }

    func accessLogs(_ configurations: [AccessLogConfiguration]) -> [AccessLog] {
        configurations.isEmpty ? [] : configurations.compactMap { self.logs[$0] }
    }

    func listenerCounters(_ name: String) -> ListenerCounters {
        if let counters = self.listeners[name] { return counters }
        let counters = ListenerCounters()
        self.listeners[name] = counters
        return counters
    }

    func httpCounters(_ prefix: String) -> HTTPCounters {
        if let counters = self.http[prefix] { return counters }
        let counters = HTTPCounters()
        self.http[prefix] = counters
        return counters
    }

    func tcpCounters(_ prefix: String) -> TCPCounters {
        if let counters = self.tcp[prefix] { return counters }
        let counters = TCPCounters()
        self.tcp[prefix] = counters
        return counters
    }

    /// `prefix` with `http.` or `tcp.` in front.
    func policyCounters(_ prefix: String) -> PolicyCounters {
        if let counters = self.policies[prefix] { return counters }
        let counters = PolicyCounters()
        self.policies[prefix] = counters
        return counters
    }

    /// What this loop knows of the policy engine.
    var mixer: MixerSession {
        if let session = self.mixerSession { return session }
        let session = MixerSession()
        self.mixerSession = session
        return session
    }

    /// Says why TLS with an endpoint did not come about; the same once a minute at most.
    func reportTLSFailure(cluster: String, _ endpoint: NetworkAddress, _ detail: String) {
        let key = cluster + detail
        if let until = self.reportedFailures[key], self.wheel.now < until { return }
        // Bounded: details name what peers presented.
        if self.reportedFailures.count >= 256 { self.reportedFailures.removeAll() }
        self.reportedFailures[key] = Tick.after(.seconds(60), now: self.wheel.now)
        self.logger.warning(
            "TLS with an endpoint failed",
            metadata: ["cluster": "\(cluster)", "endpoint": "\(endpoint)", "reason": "\(detail)"]
        )
    }

    /// Counts traffic that is not allowed to its destination, and names it in the log once.
    func countBlocked(name: String, address: NetworkAddress?, reason: EndReason) {
        let key = BlockedKey(name: name, address: address, reason: reason)
        guard self.blocked.count(key) else { return }
        self.logger.info(
            reason.isOfDNSBinding
                ? "blocked traffic that the workload's dns did not lead there"
                : "blocked traffic to an unknown destination; a ServiceEntry would allow it",
            metadata: [
                "name": "\(name.isEmpty ? "-" : name)", "address": "\(address.map(\.description) ?? "-")",
                "reason": "\(reason.rawValue)",
            ]
        )
    }

    /// Counts what DNS-bound egress would have blocked if it were not only watching.
    func countUnbound(_ reason: EndReason, name: String, address: NetworkAddress) {
        var key = BlockedKey(name: name, address: address, reason: reason)
        key.isAudit = true
        guard self.blocked.count(key) else { return }
        self.logger.info(
            "traffic that dns-bound egress would block",
            metadata: ["name": "\(name.isEmpty ? "-" : name)", "address": "\(address)", "reason": "\(reason.rawValue)"]
        )
    }

    // MARK: The end

    /// Answers end their connections from now on.
    func startDraining() {
        self.isDraining = true
        for channel in self.connections.values {
            channel.pipeline.fireUserInboundEventTriggered(DrainStarted())
        }
    }

    func stop() {
        self.isDraining = true
        self.isStopping = true
        for channel in self.connections.values { channel.close(promise: nil) }
        self.mixerSession?.flush(on: self)
        self.use(ProxyState(revision: self.state.revision), tls: self.tls, files: [:], formats: [:])
        self.ticking?.cancel()
        self.ticking = nil
        for sink in self.sinks.values { sink.flush() }
    }

    var statistics: ProxyStatistics {
        var statistics = ProxyStatistics()
        statistics.listeners = self.listeners.mapValues(\.counts)
        statistics.http = self.http.mapValues(\.counts)
        statistics.tcp = self.tcp.mapValues(\.counts)
        statistics.http2 = self.http2
        statistics.policies = self.policies.mapValues(\.counts)
        statistics.mixer = self.mixerSession?.counts.requests
        statistics.connectionMixer = self.mixerSession?.counts.connections
        statistics.clusters = self.retired
        for case .some(let cluster) in self.clusters {
            let own = cluster.statistics
            let name = cluster.cluster.statName
            statistics.clusters[name] = statistics.clusters[name].map { own.adding($0) } ?? own
        }
        statistics.blocked = self.blocked.counts
        statistics.blockedOthers = self.blocked.others
        statistics.accessLogLinesDropped = self.sinks.values.reduce(0) { $0 + $1.linesDropped }
        return statistics
    }
}

/// A connection that gathers what it writes.
protocol Flushing: AnyObject {
    func flushNow()
}

/// Counts of a listener on one loop; a class, so that connections hold on to it.
final class ListenerCounters { var counts = ListenerStatistics() }

/// Counts of connection managers with one prefix on one loop.
final class HTTPCounters { var counts = HTTPStatistics() }

/// Counts of TCP proxies with one prefix on one loop.
final class TCPCounters { var counts = TCPStatistics() }

/// Blocked traffic by name, address and reason.
struct BlockedCounter {
    /// A client may ask for any name: so many are told apart, the rest is one number.
    static let keysMax = 512

    private(set) var counts: [BlockedKey: UInt64] = [:]
    private(set) var others: UInt64 = 0

    /// - Returns: whether it is the first of its kind.
    mutating func count(_ key: BlockedKey) -> Bool {
        if let count = self.counts[key] {
            self.counts[key] = count + 1
        } else if self.counts.count < Self.keysMax {
            self.counts[key] = 1
            return true
        } else {
            self.others += 1
        }
        return false
    }
}
