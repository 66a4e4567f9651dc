internal import MeshModel
internal import NIOCore
internal import TrafficEngine

extension ServerConnection {
    var requestIsHead: Bool { self.exchange.isHead }
    var requestIsComplete: Bool { self.machine.request == .complete }
    var awaitsUpgrade: Bool { self.exchange.awaitsUpgrade }
    /// The client speaks HTTP/1.0 and knows no chunks.
    var wantsPlainBody: Bool { self.exchange.minorVersion == 0 }

    /// A head is complete; `bytes` begin with it.
    func begin(_ bytes: ByteBuffer) {
        let fields = self.scanner.fields
        let isChunked = fields.isChunked
        let length = fields.contentLength ?? 0
        let options = fields.connection
        self.exchange.reset()
        self.exchange.isActive = true
        self.exchange.startNanoseconds = NIODeadline.now().uptimeNanoseconds
        self.exchange.attemptNanoseconds = self.exchange.startNanoseconds
        if !self.logs.isEmpty { self.exchange.startMilliseconds = WallClock.milliseconds() }
        self.exchange.isHead = self.scanner.kind == .head
        self.exchange.minorVersion = self.scanner.minorVersion
        self.counters.counts.requests += 1
        self.counters.counts.requestsActive += 1
        self.requestBody = BodyReader(isChunked ? .chunked : (length > 0 ? .length(length) : .none))
        let hasBody = isChunked || length > 0
        self.phase = hasBody ? .body : .waiting
        let keepsAlive =
            self.scanner.minorVersion > 0 ? !options.contains(.close) : options.contains(.keepAlive)
        self.machine.requestStarted(
            hasBody: hasBody,
            isIdempotent: self.scanner.kind.isIdempotent,
            keepsAlive: keepsAlive && !self.worker.isDraining
        )
        if length > Self.bodyBytesMax { self.machine.bodyForgotten() }
        self.deadlines.idle = Tick.never
        self.touch()
        bytes.withUnsafeReadableBytes { self.dispatch($0) }
        if self.exchange.isActive { self.armTimer() }
    }

    /// Finds the request's route and does what it says.
    private func dispatch(_ bytes: UnsafeRawBufferPointer) {
        let authority = self.scanner.authority
        self.authority.removeAll(keepingCapacity: true)
        self.authority.append(contentsOf: bytes[Int(authority.start)..<Int(authority.start) + Int(authority.count)])
        if self.manager.addsForwardingHeaders, self.scanner.fields.requestIDIndex < 0 { self.makeRequestID() }
        guard self.scanner.kind != .connect else {
            self.captureRequest(bytes, path: nil)
            self.reply(status: 405, .answeredByRoute, "CONNECT is not served here\n")
            return
        }
        guard let table = self.currentRoutes() else {
            self.captureRequest(bytes, path: nil)
            self.reply(status: 404, .noRoute, "no route table for this port has been received yet\n")
            return
        }
        let route = self.withView(bytes) { table.route($0) }
        guard let route else {
            self.captureRequest(bytes, path: nil)
            self.replyNamingHost(status: 404, .noRoute, "no route for ")
            return
        }
        self.exchange.route = route
        switch route.action {
        case .forward(let forward): self.forward(bytes, route, forward)
        case .redirect(let redirect):
            self.captureRequest(bytes, path: nil)
            self.redirect(bytes, route, redirect)
        case .respond(let status, let body):
            self.captureRequest(bytes, path: nil)
            let virtualHost = self.withView(bytes) { table.virtualHost($0) }
            if virtualHost?.name == Self.blockedHostName {
                self.replyBlocked(status: status, body: body)
            } else {
                self.reply(status: status, .answeredByRoute, body, edits: route.responseHeaders)
            }
        }
    }

    /// The virtual host that stands for all unknown hosts under `REGISTRY_ONLY`.
    private static let blockedHostName = "block_all"

    private func withView<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (RequestView) -> Result) -> Result {
        let scanner = self.scanner
        return scanner.fields.fields.withUnsafeBufferPointer { fields in
            body(
                RequestView(
                    bytes: bytes,
                    method: scanner.method,
                    target: scanner.target,
                    authority: scanner.authority,
                    headers: fields
                )
            )
        }
    }

    private func forward(_ bytes: UnsafeRawBufferPointer, _ route: Route, _ forward: ForwardAction) {
        let index =
            forward.clusters.count == 1
            ? 0 : forward.pickIndex(random: UInt32(truncatingIfNeeded: self.worker.random()))
        self.exchange.forward = forward
        self.exchange.clusterIndex = index
        guard let cluster = self.worker.cluster(forward.clusters[index].cluster) else {
            self.exchange.clusterName = forward.clusters[index].name
            self.captureRequest(bytes, path: nil)
            self.replyNamingHost(status: 503, .noCluster, "the route names an unknown cluster for ")
            return
        }
        self.exchange.cluster = cluster
        let fields = self.scanner.fields
        if fields.upgradeIndex >= 0, fields.connection.contains(.upgrade),
            self.manager.allowsUpgrade || forward.allowsUpgrade
        {
            self.exchange.awaitsUpgrade = self.isUpgradeAllowed(bytes)
        }
        if let policy = forward.retry {
            self.machine.routed(retry: RetryState(policy: policy, seed: self.worker.random()))
        }
        self.writeHead(bytes, route, forward, forward.clusters[index])
        // What has come of the body in the same read travels in the same write.
        let rest = UnsafeRawBufferPointer(rebasing: bytes[self.scanner.headCount...])
        if self.phase == .body, !rest.isEmpty, !self.takeFirstBody(rest) { return }
        if self.machine.request == .complete { self.startRouteTimeout() }
        self.startAttempt(freshOnly: false, avoiding: nil)
    }

    /// Only WebSocket; `h2c` must not pass (facts #58).
    private func isUpgradeAllowed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let range = self.scanner.fields.fields[self.scanner.fields.upgradeIndex].value
        let value = UnsafeRawBufferPointer(rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
        return self.scanner.kind == .get && self.machine.request == .complete && Bytes.equal(value, "websocket")
    }

    /// Takes the start of a body behind the head; `false`: it was refused.
    private func takeFirstBody(_ rest: UnsafeRawBufferPointer) -> Bool {
        let step = self.requestBody.take(rest)
        if let fault = step.fault {
            self.refuse(fault)
            return false
        }
        self.exchange.head.writeBytes(UnsafeRawBufferPointer(rebasing: rest[..<step.count]))
        self.exchange.bytesReceived += step.count
        self.input.moveReaderIndex(forwardBy: step.count)
        if step.hasEnded {
            self.machine.requestEnded()
            self.phase = .waiting
        }
        return true
    }

    private func currentRoutes() -> RouteTable? {
        switch self.manager.routes {
        case .inline(let table): return table
        case .named(let name):
            if self.routesRevision != self.worker.stateNumber {
                self.routesRevision = self.worker.stateNumber
                self.routes = self.worker.state.routeTables[name]
            }
            return self.routes
        }
    }

    // MARK: Body

    /// A run of the body that did not come with the head.
    func bodyReceived(_ slice: ByteBuffer) {
        var slice = slice
        self.exchange.bytesReceived += slice.readableBytes
        self.touch()
        if let upstream = self.upstream {
            upstream.write(slice)
            guard self.machine.isReplayable else { return }
            if self.exchange.heldBody.readableBytes + slice.readableBytes <= Self.bodyBytesMax {
                self.exchange.heldBody.writeBuffer(&slice)
            } else {
                self.exchange.heldBody = ByteBuffer()
                self.machine.bodyForgotten()
            }
        } else if self.exchange.isActive {
            self.exchange.heldBody.writeBuffer(&slice)
        }
    }

    func requestEnded() {
        self.machine.requestEnded()
        if self.phase == .body { self.phase = .waiting }
        if self.exchange.isActive { self.startRouteTimeout() }
    }

    private func startRouteTimeout() {
        guard let timeout = self.exchange.forward?.timeout else { return }
        self.deadlines.route = Tick.after(timeout, now: self.worker.wheel.now)
        self.armTimer()
    }

    // MARK: Attempts

    func startAttempt(freshOnly: Bool, avoiding previous: EndpointPool?) {
        guard let cluster = self.exchange.cluster else { return }
        if cluster.cluster.usesHTTP2 {
            self.worker.refuseHTTP2(cluster.cluster)
            self.attemptFailed(.init(reason: .upstreamProtocolError, outcome: nil))
            return
        }
        let limit = cluster.limits.requestsMax
        if limit != .max, cluster.counts.requestsActive >= Int(limit) {
            cluster.counts.requestsOverflowed += 1
            self.attemptFailed(.init(reason: .overflow, outcome: nil))
            return
        }
        switch cluster.choose(for: self.facts, avoiding: previous) {
        case .failed(let reason): self.attemptFailed(.init(reason: reason, outcome: nil))
        case .unresolved:
            self.waitingCluster = cluster
            cluster.wait(self)
            self.deadlines.attempt = Tick.after(cluster.cluster.connectTimeout, now: self.worker.wheel.now)
            self.armTimer()
        case .pool(let pool): self.startAttempt(cluster, pool, freshOnly: freshOnly)
        }
    }

    private func startAttempt(_ cluster: ClusterRuntime, _ pool: EndpointPool, freshOnly: Bool) {
        self.exchange.pool = pool
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

    /// A connection of the pool is ours until the response has ended.
    func connectionReady(_ connection: UpstreamConnection) {
        self.waitingPool = nil
        self.upstream = connection
        if !self.logs.isEmpty { self.exchange.upstreamLocal = connection.localAddress }
        connection.begin(self)
        connection.write(self.exchange.head)
        if self.exchange.heldBody.readableBytes > 0 {
            connection.write(self.exchange.heldBody)
            if !self.machine.isReplayable || self.exchange.heldBody.readableBytes > Self.bodyBytesMax {
                self.exchange.heldBody = ByteBuffer()
                self.machine.bodyForgotten()
            }
        }
        connection.flush()
        self.resumeReading()
    }

    func connectionFailed(_ reason: EndReason) {
        self.waitingPool = nil
        self.attemptFailed(.init(reason: reason, outcome: .connectFailed))
    }

    /// The attempt under way has ended without a whole response.
    func attemptFailed(_ failure: ExchangeMachine.AttemptFailure) {
        guard self.exchange.isActive else { return }
        let pool = self.exchange.pool
        self.detach()
        self.deadlines.attempt = Tick.never
        pool?.counts.requestsFailed += 1
        if let cluster = self.exchange.cluster, !cluster.mayRetry { self.machine.bodyForgotten() }
        switch self.machine.attemptFailed(failure) {
        case .retryFresh: self.startAttempt(freshOnly: true, avoiding: nil)
        case .retry(let delay): self.retry(after: delay)
        case .reply(let reason): self.replyToFailure(reason)
        case .abort(let reason):
            self.exchange.reason = reason
            self.finishExchange()
            self.close()
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
        }
    }

    /// Lets go of what the attempt holds: upstream connection, place in a queue, counts.
    func detach() {
        self.upstream?.abandon()
        self.upstream = nil
        self.waitingPool?.stopWaiting(self)
        self.waitingPool = nil
        self.waitingCluster?.stopWaiting(self)
        self.waitingCluster = nil
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
        if self.phase != .tunnel, tick >= self.deadlines.route {
            self.deadlines.route = Tick.never
            self.exchange.cluster?.counts.requestsTimedOut += 1
            self.giveUp(.requestTimedOut)
        } else if self.phase != .tunnel, tick >= self.deadlines.attempt {
            self.deadlines.attempt = Tick.never
            if self.waitingCluster != nil {
                self.attemptFailed(.init(reason: .upstreamNameUnresolved, outcome: nil))
            } else if self.machine.response == .none {
                self.exchange.cluster?.counts.triesTimedOut += 1
                self.attemptFailed(.init(reason: .requestTimedOut, outcome: .perTryTimedOut))
            }
        } else if tick >= self.deadlines.idle {
            self.deadlines.idle = Tick.never
            if self.phase == .tunnel {
                self.exchange.reason = .idleTimedOut
                self.detach()
                self.finishExchange()
                self.close()
            } else {
                self.giveUp(.streamIdle)
            }
        }
    }

    /// The exchange took too long: nothing is tried again.
    private func giveUp(_ reason: EndReason) {
        self.detach()
        if self.machine.response == .none {
            self.replyToFailure(reason)
        } else {
            self.exchange.reason = reason
            self.finishExchange()
            self.close()
        }
    }
}

extension ServerConnection: ClusterWaiter {
    /// The names of the cluster were looked up.
    func clusterReady() {
        self.waitingCluster = nil
        self.deadlines.attempt = Tick.never
        guard self.exchange.isActive else { return }
        self.startAttempt(freshOnly: false, avoiding: nil)
    }
}
