internal import NIOCore
internal import TrafficEngine

/// The policy engine is asked when it is known where a request goes, and before an endpoint is chosen: the answer may
/// take its time, and meanwhile endpoints come and go.
extension ServerExchange {
    /// An answer that was held until a pod is ready and the news of that pod come by different ways; neither is always first.
    private static let endpointTime = Duration.seconds(1)

    /// A request has come that the engine may be told of.
    func beginMixing(_ bytes: UnsafeRawBufferPointer, _ policy: MixerPolicy) {
        let mixing = self.mixing ?? MixerGate(worker: self.worker, policy: policy, facts: self.facts)
        self.mixing = mixing
        self.withView(bytes) { mixing.begin($0) }
    }

    /// The request goes to the cluster that was picked from the route, if the engine lets it.
    func askEngine(
        _ mixing: MixerGate,
        _ bytes: UnsafeRawBufferPointer,
        _ route: Route,
        _ forward: ForwardAction
    ) {
        let service = self.worker.cluster(forward.clusters[self.exchange.clusterIndex].cluster)?.cluster.service
        let outcome = self.withView(bytes) { view in
            mixing.check(
                view,
                service: service,
                effects: self.exchange.effects ?? PolicyEffects()
            ) { outcome in self.engineAnswered(outcome) }
        }
        switch outcome {
        case .waiting:
            self.exchange.parked.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<self.scanner.headCount]))
            if self.machine.request == .complete { self.startRouteTimeout() }
        case .passed, .denied: self.engineDecided(outcome, bytes, route, forward)
        }
    }

    /// The answer that the request has waited for.
    private func engineAnswered(_ outcome: MixerOutcome) {
        guard self.exchange.isActive, self.exchange.parked.readableBytes > 0, let route = self.exchange.route,
            let forward = self.exchange.forward
        else { return }
        let head = self.exchange.parked
        self.exchange.parked = ByteBuffer()
        self.exchange.mayAwaitEndpoint = true
        head.withUnsafeReadableBytes { self.engineDecided(outcome, $0, route, forward) }
        if self.exchange.isActive { self.armTimer() }
        self.worker.flushWaiting()
    }

    private func engineDecided(
        _ outcome: MixerOutcome,
        _ bytes: UnsafeRawBufferPointer,
        _ route: Route,
        _ forward: ForwardAction
    ) {
        switch outcome {
        case .waiting: ()
        case .passed(let verdict?) where verdict.changesRequest: self.routeAgain(bytes, verdict)
        case .passed(let verdict):
            if let verdict { self.changeAnswer(verdict.responseHeaders) }
            self.send(bytes, route, forward)
        case .denied(let denial): self.replyDenied(denial, bytes)
        }
    }

    /// The engine does not let the request pass.
    func replyDenied(_ denial: PolicyDenial, _ bytes: UnsafeRawBufferPointer) {
        self.captureRequest(bytes, path: nil)
        self.exchange.details = denial.details
        self.reply(status: denial.status, denial.reason, denial.body, edits: denial.headers)
    }

    /// Notes what the engine wants changed in the answer.
    func changeAnswer(_ edits: HeaderEdits) {
        guard !edits.isEmpty else { return }
        var effects = self.exchange.effects ?? PolicyEffects()
        effects.responseHeaders = effects.responseHeaders.then(edits)
        self.exchange.effects = effects
    }

    /// Whether a request that the engine has let pass waits a moment for its cluster to have an endpoint at all.
    func awaitsEndpoint(of cluster: ClusterRuntime) -> Bool {
        guard self.exchange.mayAwaitEndpoint, cluster.isEmpty else { return false }
        self.exchange.mayAwaitEndpoint = false
        self.wait(for: cluster, Self.endpointTime)
        return true
    }

    /// Puts into the head who sends the request if it goes to an endpoint of the mesh, and takes it out if it does not:
    /// another attempt may go to an endpoint of the other kind.
    func tellSource(_ mixing: MixerGate, to pool: EndpointPool) {
        let line = mixing.sourceLine
        guard !line.isEmpty, pool.isOfMesh != self.exchange.tellsSource else { return }
        var rest = self.exchange.head
        let told = self.exchange.tellsSource ? line.count : 0
        // It stands in front of the empty line.
        guard var front = rest.readSlice(length: self.exchange.headCount - 2 - told) else { return }
        rest.moveReaderIndex(forwardBy: told)
        var head = ByteBuffer()
        head.reserveCapacity(front.readableBytes + line.count + rest.readableBytes)
        head.writeBuffer(&front)
        if pool.isOfMesh { head.writeBytes(line) }
        head.writeBuffer(&rest)
        self.exchange.head = head
        self.exchange.headCount += pool.isOfMesh ? line.count : -told
        self.exchange.tellsSource = pool.isOfMesh
    }

    /// Tells the policy engine what became of the request, if its policy wants that.
    final func reportExchange() {
        guard let mixing = self.mixing, mixing.notesResponses else { return }
        var outcome = RequestOutcome()
        outcome.status = self.exchange.status
        outcome.bytesReceived = self.exchange.bytesReceived
        outcome.bytesWritten = self.exchange.bytesWritten
        if self.exchange.awaitsUpgrade {
            outcome.bytesSent = self.exchange.bytesSent
        } else if self.exchange.headBytesWritten > 0 {
            outcome.bytesSent = max(0, self.exchange.bytesWritten - self.exchange.headBytesWritten)
        }
        guard var report = mixing.takeReport(outcome), let server = report.policy.reportServer else { return }
        let nanoseconds = NIODeadline.now().uptimeNanoseconds &- self.exchange.startNanoseconds
        report.duration = .nanoseconds(Int64(clamping: nanoseconds))
        report.startMilliseconds = Int64(WallClock.milliseconds()) - Int64(clamping: nanoseconds / 1_000_000)
        report.flags = self.exchange.reason.responseFlag
        if report.policy.side == .outbound { report.upstream = self.exchange.pool?.address }
        self.worker.mixer.report(report, to: server, on: self.worker)
    }

    /// The lines of an answer's trailers, which the engine may be told of.
    final func passTrailers(_ lines: some Collection<UInt8>) {
        self.mixing?.noteTrailers(lines)
        self.writeTrailers(ByteBuffer(bytes: lines))
    }
}
