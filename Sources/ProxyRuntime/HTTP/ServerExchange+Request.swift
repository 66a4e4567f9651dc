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
        if self.exchange.isGRPC {
            self.exchange.ownTimeout =
                fields.grpcTimeoutIndex < 0
                ? nil : GRPC.timeout(self.slice(bytes, fields.fields[fields.grpcTimeoutIndex].value))
        }
        if self.manager.respectsExpectedTimeout, let time = self.expectedTime(bytes) {
            self.exchange.ownTimeout = min(self.exchange.ownTimeout ?? time, time)
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
        if self.machine.request == .complete || forward.timeoutIncludesRequest { self.startRouteTimeout() }
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

    /// From the request's end on, or from its beginning if the route says so, the whole answer has so long; one that has
    /// begun is cut off then. What the policy engine takes of it is not given back. What the client gives the request began
    /// when that came, whatever its route is now.
    func startRouteTimeout() {
        // Whoever is asked before the route is known takes time of their own.
        guard let forward = self.exchange.forward, self.deadlines.route == Tick.never else { return }
        let now = self.worker.wheel.now
        var deadline = Tick.never
        if let timeout = forward.timeout { deadline = Tick.after(timeout, now: now) }
        if let own = self.exchange.ownTimeout {
            let age = NIODeadline.now().uptimeNanoseconds &- self.exchange.startNanoseconds
            deadline = min(deadline, Tick.after(own - .nanoseconds(Int64(clamping: age)), now: now))
        }
        guard deadline != Tick.never else { return }
        self.deadlines.route = deadline
        self.armTimer()
    }
}
