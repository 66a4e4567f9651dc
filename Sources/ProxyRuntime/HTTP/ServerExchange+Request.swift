internal import MeshModel
internal import NIOCore
internal import TrafficEngine

extension ServerExchange {
    final var requestIsHead: Bool { self.exchange.isHead }
    final var requestIsComplete: Bool { self.machine.request == .complete }
    final var awaitsUpgrade: Bool { self.exchange.awaitsUpgrade }

    /// A head is complete; `bytes` begin with it, and are valid during the call.
    final func begin(
        _ bytes: UnsafeRawBufferPointer,
        framing: BodyReader.Framing,
        hasBody: Bool,
        keepsAlive: Bool
    ) {
        self.start()
        self.exchange.isHead = self.scanner.kind == .head
        self.exchange.minorVersion = self.scanner.minorVersion
        let length: Int
        switch framing {
        case .none: (length, self.exchange.bodyForm) = (0, .none)
        case .length(let count): (length, self.exchange.bodyForm) = (count, .length)
        case .chunked: (length, self.exchange.bodyForm) = (0, .chunks)
        case .untilClose: (length, self.exchange.bodyForm) = (0, .parts)
        }
        if self.scanner.fields.contentTypeIndex >= 0 { self.noteContentType(bytes) }
        self.refreshPolicies()
        self.machine.requestStarted(
            hasBody: hasBody,
            isIdempotent: self.scanner.kind.isIdempotent,
            keepsAlive: keepsAlive && !self.worker.isDraining && !self.isOutdated
        )
        if length > Self.bodyBytesMax { self.machine.bodyForgotten() }
        self.deadlines.idle = Tick.never
        self.touch()
        if self.policing.normalizesPath, let normalized = self.scanner.normalizeTarget(bytes) {
            normalized.withUnsafeBytes { self.dispatch($0) }
        } else {
            self.dispatch(bytes)
        }
        if self.exchange.isActive { self.armTimer() }
    }

    /// Something that looks like a request has come; from here on it is counted and logged.
    final func start() {
        self.exchange.reset()
        self.exchange.isActive = true
        self.exchange.startNanoseconds = NIODeadline.now().uptimeNanoseconds
        self.exchange.attemptNanoseconds = self.exchange.startNanoseconds
        if !self.logs.isEmpty { self.exchange.startMilliseconds = WallClock.milliseconds() }
        self.counters.counts.requests += 1
        self.counters.counts.requestsActive += 1
    }

    /// The same for a head that never becomes an exchange: somebody will look for it in the log, and must not find there
    /// what the request before it brought.
    final func startUnread() {
        self.start()
        self.captured.reset()
        self.capturedResponse.reset()
        self.machine.requestStarted(hasBody: true, isIdempotent: false, keepsAlive: false)
    }

    private func noteContentType(_ bytes: UnsafeRawBufferPointer) {
        let value = self.slice(bytes, self.scanner.fields.fields[self.scanner.fields.contentTypeIndex].value)
        let type: StaticString = "application/grpc"
        guard value.count >= 16, Bytes.equal(UnsafeRawBufferPointer(rebasing: value[..<16]), type) else { return }
        self.exchange.isGRPC = value.count == 16 || value[16] == UInt8(ascii: "+") || value[16] == UInt8(ascii: ";")
    }

    /// Asks the policies, then finds the request's route.
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
        if let mixer = self.policing.mixer { self.beginMixing(bytes, mixer) }
        if self.policing.policies.isEmpty { self.route(bytes) } else { self.askPolicies(bytes) }
    }

    /// Finds the request's route and does what it says.
    func route(_ bytes: UnsafeRawBufferPointer) {
        guard let table = self.currentRoutes() else {
            self.captureRequest(bytes, path: nil)
            self.reply(status: 404, .noRoute, "no route table for this port has been received yet\n")
            return
        }
        let route = self.withView(bytes) { table.route($0) }
        guard let route else {
            self.captureRequest(bytes, path: nil)
            // The host that the engine has put there is not the client's choice: another connection would not help.
            if self.exchange.directive == nil, self.isMisdirected {
                self.replyNamingHost(status: 421, .misdirected, "this connection was not made for the host ")
            } else {
                self.replyNamingHost(status: 404, .noRoute, "no route for ")
            }
            return
        }
        if let fault = self.egressFault(bytes, table) {
            self.captureRequest(bytes, path: nil)
            self.replyUnbound(fault)
            return
        }
        self.exchange.route = route
        if let policy = route.crossOrigin, self.answersPreflight(bytes, policy) { return }
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

    /// Why DNS-bound egress blocks the request, if it does.
    private func egressFault(_ bytes: UnsafeRawBufferPointer, _ table: RouteTable) -> EndReason? {
        // A host is judged once, and counted once where it is only watched.
        guard let egress = self.facts.egress, self.exchange.directive?.changesHost ?? true else { return nil }
        // Virtual hosts are named `HOST:PORT`.
        let virtualHost = self.withView(bytes) { table.virtualHost($0) }?.name
        let service = virtualHost.flatMap { name in name.lastIndex(of: ":").map { String(name[..<$0]) } }
        guard let fault = egress.requestFault(authority: self.authority, service: service) else { return nil }
        guard egress.isAudit else { return fault }
        self.worker.countUnbound(
            fault,
            name: String(decoding: self.authority, as: UTF8.self),
            address: self.facts.destination
        )
        return nil
    }

    /// A client may send requests for all hosts of a certificate on one connection, also for those that another chain
    /// of the listener serves (RFC 9113 section 9.1.2); it tries again on a connection of their own when told.
    private var isMisdirected: Bool {
        guard self.isHTTP2, self.facts.isTLS, let name = self.facts.serverName else { return false }
        let host = self.authorityWithoutPort(dropping: true)
        return !host.elementsEqual(name.utf8.map(Bytes.lowered))
    }

    /// The virtual host that stands for all unknown hosts under `REGISTRY_ONLY`.
    private static let blockedHostName = "block_all"

    func withView<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (RequestView) -> Result) -> Result {
        let scanner = self.scanner
        return scanner.fields.fields.withUnsafeBufferPointer { fields in
            body(
                RequestView(
                    bytes: bytes,
                    method: scanner.method,
                    target: scanner.target,
                    authority: scanner.authority,
                    headers: fields,
                    isSecure: self.isSecure(bytes)
                )
            )
        }
    }

    private func forward(_ bytes: UnsafeRawBufferPointer, _ route: Route, _ forward: ForwardAction) {
        self.exchange.forward = forward
        let fields = self.scanner.fields
        if fields.grpcTimeoutIndex >= 0, self.exchange.isGRPC {
            self.exchange.ownTimeout = GRPC.timeout(self.slice(bytes, fields.fields[fields.grpcTimeoutIndex].value))
        }
        // The engine was told of one cluster of a route, and there the request stays while the route does.
        if self.exchange.directive?.route !== route {
            // Nor does another route have the time of the one before.
            self.deadlines.route = Tick.never
            self.exchange.clusterIndex =
                forward.clusters.count == 1
                ? 0 : forward.pickIndex(random: UInt32(truncatingIfNeeded: self.worker.random()))
        }
        if let directive = self.exchange.directive {
            self.changeAnswer(directive.responseHeaders)
            self.send(bytes, route, forward)
        } else if let mixing = self.mixing {
            self.askEngine(mixing, bytes, route, forward)
        } else {
            self.send(bytes, route, forward)
        }
    }

    /// Nobody need be asked about the request any more: looks for an endpoint of the cluster that was picked.
    func send(_ bytes: UnsafeRawBufferPointer, _ route: Route, _ forward: ForwardAction) {
        let index = self.exchange.clusterIndex
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
        if let room = cluster.room { self.exchange.visit = self.visit(room, bytes) }
        if !forward.hashKeys.isEmpty, cluster.balancer.wantsHash { self.makeHash(bytes, forward.hashKeys) }
        self.writeHead(bytes, route, forward, forward.clusters[index])
        if !self.takeBodyBehindHead(bytes) { return }
        if self.machine.request == .complete { self.startRouteTimeout() }
        self.startAttempt(freshOnly: false, avoiding: nil)
    }

    /// Only WebSocket; `h2c` must not pass (facts #58).
    private func isUpgradeAllowed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let range = self.scanner.fields.fields[self.scanner.fields.upgradeIndex].value
        let value = UnsafeRawBufferPointer(rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
        return self.scanner.kind == .get && !self.isHTTP2 && self.machine.request == .complete
            && Bytes.equal(value, "websocket")
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
    final func bodyReceived(_ slice: ByteBuffer, isLast: Bool) {
        var slice = slice
        self.exchange.bytesReceived += slice.readableBytes
        self.touch()
        if isLast { self.machine.requestEnded() }
        if let upstream = self.upstream {
            upstream.write(slice, isLast: isLast)
            if self.machine.isReplayable, self.exchange.isActive, slice.readableBytes > 0 { self.hold(&slice) }
        } else if self.exchange.isActive {
            let part = slice
            self.exchange.heldBody.writeBuffer(&slice)
            if self.exchange.parked.readableBytes > 0 { self.gate?.bodyReceived(part, isLast: isLast) }
        }
        if isLast, self.exchange.isActive { self.startRouteTimeout() }
    }

    /// Keeps a run that was sent for another attempt.
    private func hold(_ slice: inout ByteBuffer) {
        if self.exchange.heldBody.readableBytes == 0, slice.readableBytes <= Self.bodyBytesMax {
            self.exchange.heldBody = slice
        } else if self.exchange.heldBody.readableBytes + slice.readableBytes <= Self.bodyBytesMax {
            self.exchange.heldBody.writeBuffer(&slice)
        } else {
            self.exchange.heldBody = ByteBuffer()
            self.machine.bodyForgotten()
        }
    }

    /// The lines of trailers; the request ends with them.
    final func trailersReceived(_ lines: ByteBuffer) {
        self.exchange.trailers = lines
        self.bodyReceived(ByteBuffer(), isLast: true)
    }

    /// From the request's end on the whole answer has so long; one that has begun is cut off then. What the policy engine
    /// takes of it is not given back.
    func startRouteTimeout() {
        // Whoever is asked before the route is known takes time of their own.
        guard let forward = self.exchange.forward, self.deadlines.route == Tick.never else { return }
        var timeout = forward.timeout
        if let own = self.exchange.ownTimeout { timeout = min(timeout ?? own, own) }
        guard let timeout else { return }
        self.deadlines.route = Tick.after(timeout, now: self.worker.wheel.now)
        self.armTimer()
    }

    // MARK: Attempts

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
