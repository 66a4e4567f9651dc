internal import NIOCore
internal import TrafficEngine

/// Attempts at endpoints: how one starts, what follows when it fails or takes too long, and what it holds.
extension ServerExchange {
    func startAttempt(freshOnly: Bool, avoiding previous: EndpointPool?) {
        guard let cluster = self.exchange.cluster else { return }
        var placement = Placement.anywhere
        if let room = cluster.room { placement = self.place(in: room, of: cluster, avoiding: previous) }
        if case .none = placement { return }
        let limit = cluster.limits.requestsMax
        if limit != .max, cluster.counts.requestsActive >= Int(limit) {
            cluster.counts.requestsOverflowed += 1
            self.attemptFailed(.init(reason: .overflow, outcome: nil))
            return
        }
        if case .pool(let pool) = placement { return self.startAttempt(cluster, pool, freshOnly: freshOnly) }
        if self.awaitsEndpoint(of: cluster) { return }
        switch cluster.choose(for: self.facts, avoiding: previous, hash: self.exchange.hash) {
        case .failed(let reason):
            self.attemptFailed(.init(reason: reason, outcome: nil))
        case .unresolved: self.wait(for: cluster, cluster.cluster.connectTimeout)
        case .pool(let pool): self.startAttempt(cluster, pool, freshOnly: freshOnly)
        }
    }

    private func startAttempt(_ cluster: ClusterRuntime, _ pool: EndpointPool, freshOnly: Bool) {
        self.exchange.pool = pool
        if let mixing = self.mixing { self.tellSource(mixing, to: pool) }
        self.exchange.attemptIsCounted = true
        cluster.began(pool)
        cluster.counts.requests += 1
        cluster.counts.requestsActive += 1
        pool.counts.requests += 1
        pool.counts.requestsActive += 1
        if self.machine.attempts > 0 { self.exchange.attemptNanoseconds = NIODeadline.now().uptimeNanoseconds }
        self.machine.attemptStarted()
        if let timeout = self.exchange.forward?.retry?.perTryTimeout {
            self.deadlines.attempt = Tick.after(timeout, now: self.worker.wheel.now)
            self.armTimer()
        }
        switch pool.acquire(for: self, freshOnly: freshOnly) {
        case .connection(let connection): self.connectionReady(connection)
        case .waiting: self.waitingPool = pool
        case .overflow:
            cluster.counts.requestsOverflowed += 1
            self.attemptFailed(.init(reason: .overflow, outcome: nil))
        }
    }

    /// A connection of the pool, or a stream on one, is ours until the response has ended.
    final func connectionReady(_ connection: any UpstreamCarrier) {
        self.waitingPool = nil
        self.upstream = connection
        if !self.logs.isEmpty { self.exchange.upstreamLocal = connection.localAddress }
        connection.begin(self)
        if self.exchange.heldBody.readableBytes > 0,
            !self.machine.isReplayable || self.exchange.heldBody.readableBytes > Self.bodyBytesMax
        {
            self.exchange.heldBody = ByteBuffer()
            self.machine.bodyForgotten()
        }
        connection.flush()
        self.resumeReading()
    }

    final func connectionFailed(_ reason: EndReason, detail: String) {
        self.waitingPool = nil
        self.exchange.upstreamFailure = detail.isEmpty ? nil : detail
        self.attemptFailed(.init(reason: reason, outcome: .connectFailed))
    }

    /// The attempt under way has ended without a whole response.
    func attemptFailed(_ failure: ExchangeMachine.AttemptFailure) {
        guard self.exchange.isActive else { return }
        let pool = self.exchange.pool
        self.detach()
        self.deadlines.attempt = Tick.never
        pool?.counts.requestsFailed += 1
        if let pool, failure.isOfEndpoint { self.exchange.cluster?.judge(pool, .localFailure) }
        if self.leavesPod(after: failure) { return }
        if let cluster = self.exchange.cluster, !cluster.mayRetry { self.machine.bodyForgotten() }
        switch self.machine.attemptFailed(failure) {
        case .retryFresh: self.startAttempt(freshOnly: true, avoiding: nil)
        case .retry(let delay): self.retry(after: delay)
        case .reply(let reason): self.replyToFailure(reason)
        case .abort(let reason):
            self.exchange.reason = reason
            self.finishExchange()
            self.cutOff(reason)
        }
    }

    func retry(after delay: Duration) {
        self.exchange.cluster?.counts.retries += 1
        if !self.exchange.isRetrying {
            self.exchange.isRetrying = true
            self.exchange.cluster?.retriesActive += 1
        }
        let pool = self.exchange.pool
        self.exchange.retryTask = self.worker.loop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            guard self.exchange.isActive else { return }
            self.exchange.retryTask = nil
            self.startAttempt(freshOnly: false, avoiding: pool)
            self.worker.flushWaiting()
        }
    }

    /// Lets go of what the attempt holds: upstream connection, place in a queue, counts.
    func detach() {
        self.upstream?.abandon()
        self.upstream = nil
        self.waitingPool?.stopWaiting(self)
        self.waitingPool = nil
        self.waitingCluster?.stopWaiting(self, for: self.facts)
        self.waitingCluster = nil
        self.leaveRoom()
        if self.exchange.parked.readableBytes > 0 {
            self.exchange.parked = ByteBuffer()
            self.gate?.cancel()
            self.mixing?.cancel()
        }
        self.exchange.retryTask?.cancel()
        self.exchange.retryTask = nil
        self.uncountAttempt()
    }

    func uncountAttempt() {
        guard self.exchange.attemptIsCounted, let cluster = self.exchange.cluster, let pool = self.exchange.pool else {
            return
        }
        self.exchange.attemptIsCounted = false
        cluster.ended(pool)
        cluster.counts.requestsActive -= 1
        pool.counts.requestsActive -= 1
    }

    /// A deadline of the exchange may have come.
    func exchangeTimerFired(_ tick: Int) {
        if !self.exchange.isTunnel, tick >= self.deadlines.route {
            self.deadlines.route = Tick.never
            self.exchange.cluster?.counts.requestsTimedOut += 1
            self.giveUp(.requestTimedOut)
        } else if !self.exchange.isTunnel, tick >= self.deadlines.attempt {
            self.deadlines.attempt = Tick.never
            if self.exchange.visit?.ticket != nil {
                self.exchange.cluster?.counts.requestsTimedOut += 1
                self.giveUp(.requestTimedOut)
            } else if let cluster = self.waitingCluster, cluster.isEmpty {
                // No endpoint came: as where none is waited for.
                cluster.stopWaiting(self, for: self.facts)
                self.clusterReady()
            } else if self.waitingCluster != nil {
                self.attemptFailed(.init(reason: .upstreamNameUnresolved, outcome: nil))
            } else if self.machine.response == .none {
                self.exchange.cluster?.counts.triesTimedOut += 1
                self.attemptFailed(.init(reason: .requestTimedOut, outcome: .perTryTimedOut))
            }
        } else if tick >= self.deadlines.idle {
            self.deadlines.idle = Tick.never
            if self.exchange.isTunnel {
                self.exchange.reason = .idleTimedOut
                self.detach()
                self.finishExchange()
                self.cutOff(.idleTimedOut)
            } else {
                self.giveUp(.streamIdle)
            }
        }
    }

    /// The exchange took too long: nothing is tried again.
    private func giveUp(_ reason: EndReason) {
        // A request that waits for somebody's answer has not been noted for the log yet.
        let parked = self.exchange.parked
        if parked.readableBytes > 0 { parked.withUnsafeReadableBytes { self.captureRequest($0, path: nil) } }
        self.leaveRoom(isLate: true)
        self.detach()
        if self.machine.response == .none {
            self.replyToFailure(reason)
        } else {
            self.exchange.reason = reason
            self.finishExchange()
            self.cutOff(reason)
        }
    }
}

extension ServerExchange: ClusterWaiter {
    /// Waits, but not for ever, until the cluster knows endpoints.
    func wait(for cluster: ClusterRuntime, _ limit: Duration) {
        self.waitingCluster = cluster
        cluster.wait(self, for: self.facts)
        self.deadlines.attempt = Tick.after(limit, now: self.worker.wheel.now)
        self.armTimer()
    }

    /// The cluster has what it lacked, or has gone.
    func clusterReady() {
        self.waitingCluster = nil
        self.deadlines.attempt = Tick.never
        guard self.exchange.isActive else { return }
        self.startAttempt(freshOnly: false, avoiding: nil)
    }
}
