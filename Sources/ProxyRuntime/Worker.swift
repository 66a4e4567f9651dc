internal import Logging
internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import TrafficEngine

/// One event loop and all that lives on it: sockets, pools, timers, counters. Nothing of it is shared.
final class Worker {
    let loop: any EventLoop
    let options: ProxyRuntimeOptions
    let logger: Logger
    /// Small first reads: a connection that only carries small messages shall not hold a large buffer.
    let receiveAllocator = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 65536)
    private(set) var state = ProxyState()
    /// Grows with every state, whatever its revision says.
    private(set) var stateNumber = 0
    private(set) var table = ListenerTable([])
    private(set) var isDraining = false
    private(set) var isStopping = false
    var wheel = TimerWheel()
    /// Connections that are open now, by identity, to be closed at the end.
    var connections: [ObjectIdentifier: any Channel] = [:]
    private var blocked = BlockedCounter()
    private var clusters: [ClusterRuntime?] = []
    /// Clusters that have gone keep what they counted, by name.
    private var retired: [String: ClusterStatistics] = [:]
    private var listeners: [String: ListenerCounters] = [:]
    private var http: [String: HTTPCounters] = [:]
    private var tcp: [String: TCPCounters] = [:]
    private var refusedHTTP2: Set<ClusterID> = []
    private var sinks: [String: LogSink] = [:]
    private var logs: [AccessLogConfiguration: AccessLog] = [:]
    private var scratch: ByteBuffer
    private var generator: SeededGenerator
    private var ticking: RepeatedTask?

    init(loop: any EventLoop, options: ProxyRuntimeOptions, logger: Logger, seed: UInt64) {
        self.loop = loop
        self.options = options
        self.logger = logger
        self.generator = SeededGenerator(seed: seed)
        self.scratch = ByteBufferAllocator().buffer(capacity: 8192)
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
    }

    // MARK: Configuration

    /// Makes `state` what new connections and requests see.
    func use(_ state: ProxyState, files: [String: LogFile], formats: [AccessLogConfiguration: LogFormat]) {
        for (path, file) in files where self.sinks[path] == nil { self.sinks[path] = LogSink(file) }
        for (configuration, format) in formats where self.logs[configuration] == nil {
            guard let sink = self.sinks[configuration.path] else { continue }
            self.logs[configuration] = AccessLog(format: format, sink: sink)
        }
        self.useClusters(state.clusters)
        self.table = ListenerTable(state.listeners)
        self.state = state
        self.stateNumber += 1
    }

    private func useClusters(_ clusters: [Cluster?]) {
        while self.clusters.count < clusters.count { self.clusters.append(nil) }
        for index in self.clusters.indices {
            let new = index < clusters.count ? clusters[index] : nil
            switch (self.clusters[index], new) {
            case (nil, nil): ()
            case (nil, .some(let cluster)): self.clusters[index] = ClusterRuntime(cluster, worker: self)
            case (.some(let old), nil):
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

    func cluster(_ id: ClusterID) -> ClusterRuntime? {
        id.index < self.clusters.count ? self.clusters[id.index] : nil
    }

    /// New addresses of a DNS cluster; ignored if the cluster has changed since they were asked for.
    func resolved(_ cluster: Cluster, _ endpoints: [ClusterEndpoint]) {
        guard let runtime = self.cluster(cluster.id), runtime.cluster.discovery == cluster.discovery else { return }
        runtime.resolved(endpoints)
    }

    // MARK: What connections need

    func random() -> UInt64 { self.generator.next() }

    /// An empty buffer for one outgoing run, lent until `returnScratch`.
    func takeScratch() -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &self.scratch)
        buffer.clear()
        return buffer
    }

    func returnScratch(_ buffer: ByteBuffer) { self.scratch = buffer }

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

    /// Counts traffic to a destination that the registry does not know, and names it in the log once.
    func countBlocked(name: String, address: NetworkAddress?, reason: EndReason) {
        let key = BlockedKey(name: name, address: address, reason: reason)
        guard self.blocked.count(key) else { return }
        self.logger.info(
            "blocked traffic to an unknown destination; a ServiceEntry would allow it",
            metadata: [
                "name": "\(name.isEmpty ? "-" : name)", "address": "\(address.map(\.description) ?? "-")",
                "reason": "\(reason.rawValue)",
            ]
        )
    }

    /// HTTP/2 to endpoints is not there yet; said once per cluster.
    func refuseHTTP2(_ cluster: Cluster) {
        guard self.refusedHTTP2.insert(cluster.id).inserted else { return }
        self.logger.warning(
            "cluster wants HTTP/2, which this proxy cannot speak to endpoints yet; its requests get 502",
            metadata: ["cluster": "\(cluster.name)"]
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
        self.use(ProxyState(revision: self.state.revision), files: [:], formats: [:])
        self.ticking?.cancel()
        self.ticking = nil
        for sink in self.sinks.values { sink.flush() }
    }

    var statistics: ProxyStatistics {
        var statistics = ProxyStatistics()
        statistics.listeners = self.listeners.mapValues(\.counts)
        statistics.http = self.http.mapValues(\.counts)
        statistics.tcp = self.tcp.mapValues(\.counts)
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
