internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// A client's connection and its counterpart at an endpoint, bytes passed on as they come.
final class Tunnel: TimerTarget, ClusterWaiter {
    private let worker: Worker
    let proxy: TCPProxy
    let facts: ClientFacts
    private let counters: TCPCounters
    private var account: TunnelAccount
    private var egress: EgressWatch
    private var machine = TunnelMachine()
    var client: TunnelSide?
    private var server: TunnelSide?
    private var cluster: ClusterRuntime?
    private var pool: EndpointPool?
    private var serverIsOpen = false
    /// What came from the client before there was anywhere to send it.
    private var held = ByteBuffer()
    private var timer: TimerWheel.ID = -1
    private var idleDeadline = Tick.never
    private var resolveDeadline = Tick.never

    /// Asked before an endpoint is connected to.
    private let policies: [ConnectionPolicy]
    private var gate: ConnectionGate?
    /// The policy engine, asked when it is known where the connection goes, and told of it; `nil`: it is not.
    private let mixing: MixerConnection?
    private var reportDeadline = Tick.never

    init(worker: Worker, proxy: TCPProxy, facts: ClientFacts, policies: [ConnectionPolicy] = []) {
        self.worker = worker
        self.policies = policies
        self.proxy = proxy
        self.facts = facts
        self.counters = worker.tcpCounters(proxy.statPrefix)
        self.account = TunnelAccount(logs: worker.accessLogs(proxy.accessLogs))
        self.egress = EgressWatch(worker: worker, facts: facts)
        self.mixing = proxy.mixer.map { MixerConnection(worker: worker, policy: $0, facts: facts) }
    }

    /// The handler of the client's channel.
    func makeClientSide() -> TunnelSide {
        let side = TunnelSide(tunnel: self, isClient: true)
        self.client = side
        return side
    }

    /// The client's channel is ready: connects to an endpoint.
    func start() {
        self.counters.counts.connections += 1
        self.counters.counts.connectionsActive += 1
        self.timer = self.worker.wheel.add(self)
        if let fault = self.egress.begin() { return self.end(fault) }
        guard !self.policies.isEmpty else {
            self.begin()
            return
        }
        let gate = ConnectionGate(worker: self.worker, policies: self.policies, statPrefix: self.proxy.statPrefix)
        self.gate = gate
        let outcome = gate.begin(facts: self.facts) { outcome in self.policiesDecided(outcome) }
        self.policiesDecided(outcome)
    }

    private func policiesDecided(_ outcome: ConnectionOutcome) {
        self.mixing?.dryRun = self.gate?.dryRun
        switch outcome {
        case .waiting: return
        case .allowed:
            self.gate = nil
            if !self.isOver { self.begin() }
        case .denied(let reason, let details):
            self.gate = nil
            self.account.terminationDetails = details
            self.end(reason)
        }
    }

    private func begin() {
        guard let cluster = self.chooseCluster() else {
            self.counters.counts.noCluster += 1
            self.end(.noCluster)
            return
        }
        guard let mixing = self.mixing else { return self.connect(to: cluster) }
        self.account.clusterName = cluster.cluster.name
        let id = cluster.cluster.id
        let outcome = mixing.check(service: cluster.cluster.service) { outcome in self.engineDecided(outcome, id) }
        self.engineDecided(outcome, id)
    }

    /// The engine's answer may have taken its time: the cluster is looked up again.
    private func engineDecided(_ outcome: ConnectionOutcome, _ id: ClusterID) {
        switch outcome {
        case .waiting: return
        case .allowed:
            guard !self.isOver else { return }
            if let cluster = self.worker.cluster(id) { return self.connect(to: cluster) }
            self.counters.counts.noCluster += 1
            self.end(.noCluster)
        case .denied(let reason, let details):
            self.account.terminationDetails = details
            self.end(reason)
        }
    }

    private func connect(to cluster: ClusterRuntime) {
        self.cluster = cluster
        self.account.clusterName = cluster.cluster.name
        self.connect(cluster)
    }

    private func chooseCluster() -> ClusterRuntime? {
        if self.proxy.usesServerNameAsCluster, let name = self.facts.serverName {
            self.account.clusterName = name
            return self.worker.cluster(named: name)
        }
        guard !self.proxy.clusters.isEmpty else { return nil }
        let index =
            self.proxy.clusters.count == 1
            ? 0 : self.proxy.pickIndex(random: UInt32(truncatingIfNeeded: self.worker.random()))
        let target = self.proxy.clusters[index]
        self.account.clusterName = target.name
        return self.worker.cluster(target.cluster)
    }

    private func connect(_ cluster: ClusterRuntime) {
        switch cluster.choose(for: self.facts) {
        case .failed(let reason):
            self.end(cluster.cluster.name == Self.blackHoleName ? .blockedAddress : reason)
        case .unresolved:
            cluster.wait(self, for: self.facts)
            self.resolveDeadline = Tick.after(cluster.cluster.connectTimeout, now: self.worker.wheel.now)
            self.worker.wheel.arm(self.timer, by: self.resolveDeadline)
        case .pool(let pool):
            guard cluster.mayConnect(isFirst: false) else {
                self.end(.overflow)
                return
            }
            self.connect(cluster, pool)
        }
    }

    /// The cluster of destinations that the registry does not know; it has no endpoints.
    private static let blackHoleName = "BlackHoleCluster"

    private func connect(_ cluster: ClusterRuntime, _ pool: EndpointPool) {
        self.pool = pool
        cluster.began(pool)
        cluster.counts.requests += 1
        cluster.counts.requestsActive += 1
        let side = TunnelSide(tunnel: self, isClient: false)
        self.server = side
        pool.connect(hostName: self.facts.serverName, makeHandler: { _ in side }) { result in
            switch result {
            case .failure(let reason, let detail):
                cluster.judge(pool, .localFailure)
                self.server = nil
                self.account.upstreamFailure = detail.isEmpty ? nil : detail
                self.end(reason)
                self.releaseTimer()
            case .success:
                cluster.judge(pool, .success)
                self.serverIsOpen = true
                self.connected(side)
            }
        }
    }

    func clusterReady() {
        self.resolveDeadline = Tick.never
        guard let cluster = self.cluster, !self.isOver else { return }
        self.connect(cluster)
    }

    func connected(_ side: TunnelSide) {
        self.account.upstreamLocal = side.localAddress
        let action = self.machine.connected()
        if action == .closeServer {
            side.close()
            return
        }
        self.touch()
        self.report(.open)
        self.armTimer()
        if self.held.readableBytes > 0 {
            self.count(self.held.readableBytes, fromClient: true)
            side.write(self.held)
            side.flush()
            self.held = ByteBuffer()
        }
        if action == .passAndEndServerSide { side.endOutput() }
        self.client?.resumeReading()
    }

    // MARK: What the sides report

    func peer(isClient: Bool) -> TunnelSide? { isClient ? (self.machine.isOpen ? self.server : nil) : self.client }

    /// What may go on of what the client sent; `nil`: nothing yet, or not any more.
    func admit(_ bytes: ByteBuffer) -> ByteBuffer? {
        switch self.egress.received(bytes) {
        case .hold: return nil
        case .pass(let all): return all
        case .end(let reason):
            self.end(reason)
            return nil
        }
    }

    /// Bytes came before the server's side is open.
    func hold(_ bytes: ByteBuffer) {
        var bytes = bytes
        self.held.writeBuffer(&bytes)
    }

    @inline(__always)
    func count(_ bytes: Int, fromClient: Bool) {
        if fromClient {
            self.account.bytesReceived += bytes
            self.counters.counts.bytesReceived += bytes
            self.cluster?.counts.bytesSent += bytes
        } else {
            self.account.bytesSent += bytes
            self.counters.counts.bytesSent += bytes
            self.cluster?.counts.bytesReceived += bytes
        }
        self.touch()
    }

    func sideEnded(isClient: Bool) {
        if isClient {
            let rest = self.egress.takeHeld()
            if rest.readableBytes > 0 { self.forward(rest) }
        }
        switch isClient ? self.machine.clientEnded() : self.machine.serverEnded() {
        case .endOtherSide: self.peer(isClient: isClient)?.endOutput()
        case .closeBoth:
            self.client?.closeAfterFlush()
            self.server?.closeAfterFlush()
        case .ignore: ()
        }
    }

    /// Sends on what was held of the client's.
    private func forward(_ bytes: ByteBuffer) {
        guard let server = self.peer(isClient: true) else {
            self.hold(bytes)
            return
        }
        self.count(bytes.readableBytes, fromClient: true)
        server.write(bytes)
        server.flush()
    }

    func sideClosed(isClient: Bool, isReset: Bool) {
        if !isClient, self.serverIsOpen {
            self.serverIsOpen = false
            self.pool?.connectionClosed()
        }
        let other = isClient ? self.server : self.client
        switch self.machine.closed(isClient: isClient, isReset: isReset) {
        case .closeOther(let reason):
            other?.closeAfterFlush()
            self.finish(reason)
        case .resetOther(let reason):
            other?.reset()
            self.finish(reason)
        case .ignore: ()
        }
        if isClient { self.client = nil } else { self.server = nil }
        self.releaseTimer()
    }

    /// The client's channel is gone, or never came to life.
    func clientRemoved() {
        self.client = nil
        self.releaseTimer()
    }

    // MARK: The end

    private var isOver = false

    /// The proxy ends it.
    func end(_ reason: EndReason) {
        guard self.machine.ended() else { return }
        self.client?.closeAfterFlush()
        self.server?.closeAfterFlush()
        self.finish(reason)
    }

    /// Counts and logs, once.
    private func finish(_ reason: EndReason) {
        guard !self.isOver else { return }
        self.isOver = true
        self.gate?.cancel()
        self.gate = nil
        self.mixing?.cancel()
        self.report(.close, reason)
        self.held = ByteBuffer()
        self.counters.counts.connectionsActive -= 1
        // What is on its way may take its time, but not for ever.
        let limit = self.proxy.idleTimeout ?? .seconds(300)
        self.idleDeadline = Tick.after(min(limit, .seconds(300)), now: self.worker.wheel.now)
        self.resolveDeadline = Tick.never
        self.armTimer()
        self.releaseTimer()
        if let cluster = self.cluster {
            cluster.stopWaiting(self, for: self.facts)
            if let pool = self.pool {
                cluster.ended(pool)
                cluster.counts.requestsActive -= 1
            }
        }
        if reason == .loopDetected { self.facts.listener.counts.loops += 1 }
        if reason == .blockedAddress || reason.isOfDNSBinding {
            self.worker.countBlocked(
                name: self.egress.name(blockedFor: reason),
                address: self.facts.destination,
                reason: reason
            )
        }
        self.account.close(reason, self.facts, serverName: self.egress.serverName, upstream: self.pool?.address)
    }

    /// Both channels are gone.
    private func releaseTimer() {
        guard self.isOver, self.timer >= 0, self.client == nil, self.server == nil else { return }
        self.worker.wheel.remove(self.timer)
        self.timer = -1
    }

    // MARK: Reports

    /// Tells the policy engine how far the connection has come, if it wants to know.
    private func report(_ event: ConnectionTraffic.Event, _ reason: EndReason = .completed) {
        guard let mixing = self.mixing, mixing.isReporting else { return }
        mixing.report(
            event,
            bytesReceived: self.account.bytesReceived,
            bytesSent: self.account.bytesSent,
            upstream: self.pool?.address,
            flags: reason.responseFlag
        )
        self.reportDeadline =
            event == .close ? Tick.never : Tick.after(mixing.policy.reportInterval, now: self.worker.wheel.now)
    }

    // MARK: Time

    @inline(__always)
    private func touch() {
        if let timeout = self.proxy.idleTimeout {
            self.idleDeadline = Tick.after(timeout, now: self.worker.wheel.now)
        }
    }

    private func armTimer() {
        let next = min(self.idleDeadline, self.reportDeadline)
        if next != Tick.never, self.timer >= 0 { self.worker.wheel.arm(self.timer, by: next) }
    }

    func timerFired(tick: Int) -> Int? {
        if tick >= self.reportDeadline { self.report(.continue) }
        if tick >= self.resolveDeadline {
            self.resolveDeadline = Tick.never
            self.end(.upstreamNameUnresolved)
            return self.timer >= 0 ? self.idleDeadline : nil
        }
        if tick >= self.idleDeadline, self.isOver {
            self.idleDeadline = Tick.never
            self.client?.close()
            self.server?.close()
            return nil
        }
        if tick >= self.idleDeadline {
            self.counters.counts.idleTimeouts += 1
            self.end(.idleTimedOut)
            return self.timer >= 0 ? self.idleDeadline : nil
        }
        let next = min(self.idleDeadline, self.resolveDeadline, self.reportDeadline)
        return next == Tick.never ? nil : next
    }
}
