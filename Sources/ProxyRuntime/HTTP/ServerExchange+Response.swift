internal import MeshModel
internal import NIOCore
internal import TrafficEngine

extension ServerExchange {
    enum OnResponseHead { case forward, retrying }

    /// A final response's head is complete; `bytes` begin with it. If it is forwarded, `out` holds it as it goes to the
    /// client, and the body follows.
    final func responseHeadReceived(
        _ response: borrowing ResponseScanner,
        _ bytes: UnsafeRawBufferPointer,
        _ framing: BodyReader.Framing,
        isHTTP2: Bool,
        into out: inout ByteBuffer
    ) -> OnResponseHead {
        let now = NIODeadline.now().uptimeNanoseconds
        let status = response.status
        self.deadlines.attempt = Tick.never
        let grpcStatus = Self.grpcStatus(response, bytes)
        self.exchange.cluster?.counts.responses.count(status)
        if let pool = self.exchange.pool { self.exchange.cluster?.judge(pool, OutlierDetector.Outcome(status: status)) }
        if let cluster = self.exchange.cluster, !cluster.mayRetry { self.machine.bodyForgotten() }
        switch self.machine.responseHeadReceived(status: status, grpcStatus: grpcStatus) {
        case .retry(let delay):
            self.upstream = nil
            self.exchange.pool?.counts.requestsFailed += 1
            self.uncountAttempt()
            self.retry(after: delay)
            return .retrying
        case .forward: ()
        }
        if self.machine.attempts > 1, status < 500 { self.exchange.cluster?.counts.retriesSucceeded += 1 }
        self.exchange.status = status
        self.exchange.upstreamIsHTTP2 = isHTTP2
        self.exchange.responseNanoseconds = now
        let service = Int((now &- self.exchange.attemptNanoseconds) / 1_000_000)
        self.exchange.serviceMilliseconds = service
        // An answer before the request's end, or one that only a close ends, ends the client's connection too.
        let endsByClose = framing == .untilClose || (framing == .chunked && self.wantsPlainBody)
        if self.worker.isDraining || (endsByClose && !self.isHTTP2) {
            self.machine.keepAliveLost()
        }
        self.writeResponseHead(response, bytes, framing, serviceMilliseconds: service, into: &out)
        self.captureResponse(response, bytes)
        if let mixing = self.mixing, mixing.notesResponses {
            let head = UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, response.headCount)])
            mixing.noteResponse(head, response.fields.fields)
        }
        return .forward
    }

    private func writeResponseHead(
        _ response: borrowing ResponseScanner,
        _ bytes: UnsafeRawBufferPointer,
        _ framing: BodyReader.Framing,
        serviceMilliseconds: Int,
        into out: inout ByteBuffer
    ) {
        let fields = response.fields
        var dropped = fields.dropped
        if self.wantsPlainBody, fields.transferEncodingIndex >= 0 { dropped.insert(fields.transferEncodingIndex) }
        let route = self.exchange.route
        let target = self.exchange.forward?.clusters[self.exchange.clusterIndex]
        var room = response.headCount + 256
        let hasEdits = !(route?.responseHeaders.isEmpty ?? true) || !(target?.responseHeaders.isEmpty ?? true)
        if hasEdits, let route, let target {
            HeadWriter.markEdited(bytes, fields, route.responseHeaders, &dropped)
            HeadWriter.markEdited(bytes, fields, target.responseHeaders, &dropped)
            room += HeadWriter.count(route.responseHeaders) + HeadWriter.count(target.responseHeaders)
        }
        // Lines of the proxy's own that edits remove or set, and that it leaves to them.
        var left = route?.responseLines ?? []
        if let target { left.formUnion(target.responseLines) }
        let effects = self.exchange.effects?.responseHeaders
        if let effects {
            left.formUnion(effects.proxyLines)
            HeadWriter.markEdited(bytes, fields, effects, &dropped)
            room += HeadWriter.count(effects)
        }
        let startLineCount = response.startLineCount
        let headCount = response.headCount
        let keepsStartLine = response.minorVersion == 1
        let statusText = response.statusText
        let isUpgrade = response.status == 101
        self.putResponseHead(framing, room: room, into: &out) { writer in
            if !keepsStartLine {
                writer.put("HTTP/1.1 ")
                writer.put(self.slice(bytes, statusText))
                writer.endLine()
            }
            HeadWriter.copyLines(
                bytes,
                fields,
                firstLine: keepsStartLine ? 0 : startLineCount,
                headCount: headCount,
                dropped: dropped,
                to: &writer
            )
            if !left.contains(.serviceTime) {
                writer.put("x-envoy-upstream-service-time: ")
                writer.put(decimal: serviceMilliseconds)
                writer.endLine()
            }
            if fields.serverIndex < 0, !left.contains(.server) { writer.put("server: lateen\r\n") }
            if let visit = self.exchange.visit, visit.tellsWait {
                writer.put("x-lateen-activation-ms: ")
                writer.put(decimal: Int(visit.waitedNanoseconds / 1_000_000))
                writer.endLine()
            }
            if isUpgrade {
                writer.put("connection: upgrade\r\nupgrade: websocket\r\n")
            } else if !self.isHTTP2 {
                self.putConnection(to: &writer)
            }
            if let effects { HeadWriter.putEdited(effects, to: &writer) }
            if hasEdits, let route, let target {
                HeadWriter.putEdited(route.responseHeaders, to: &writer)
                HeadWriter.putEdited(target.responseHeaders, to: &writer)
            }
        }
    }

    /// What becomes of an HTTP/1 connection.
    final func putConnection(to writer: inout ByteWriter) {
        if !self.machine.promisesKeepAlive {
            writer.put("connection: close\r\n")
        } else if self.exchange.minorVersion == 0 {
            writer.put("connection: keep-alive\r\n")
        }
    }

    /// Only gRPC answers carry one in their head, and then they have no body.
    private static func grpcStatus(_ response: borrowing ResponseScanner, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let fields = response.fields
        guard fields.grpcStatusIndex >= 0 else { return nil }
        let range = fields.fields[fields.grpcStatusIndex].value
        guard (1...3).contains(range.count) else { return nil }
        var status = 0
        for byte in bytes[Int(range.start)..<Int(range.start) + Int(range.count)] {
            guard Bytes.isDigit(byte) else { return nil }
            status = status * 10 + Int(byte - 48)
        }
        return status
    }

    private func captureResponse(_ response: borrowing ResponseScanner, _ bytes: UnsafeRawBufferPointer) {
        guard !self.logs.isEmpty else { return }
        let fields = response.fields.fields
        for log in self.logs {
            for header in log.format.responseHeaders {
                let found =
                    fields.first { Bytes.equal(self.slice(bytes, $0.name), lowercase: header.name) }
                    ?? (header.alternative.isEmpty
                        ? nil : fields.first { Bytes.equal(self.slice(bytes, $0.name), lowercase: header.alternative) })
                self.capturedResponse.append(found.map { self.slice(bytes, $0.value) })
            }
        }
    }

    /// An interim answer, such as `100 Continue`; HTTP/1.0 knows none.
    final func interimReceived(_ response: borrowing ResponseScanner, _ bytes: UnsafeRawBufferPointer) {
        self.touch()
        var out = self.worker.takeScratch()
        out.write(bytesMax: response.headCount + 16) { writer in
            writer.put("HTTP/1.1 ")
            writer.put(self.slice(bytes, response.statusText))
            writer.endLine()
            HeadWriter.copyLines(
                bytes,
                response.fields,
                firstLine: response.startLineCount,
                headCount: response.headCount,
                dropped: response.fields.dropped,
                to: &writer
            )
            writer.endLine()
        }
        self.writeInterim(out)
        self.worker.returnScratch(out)
    }

    /// Some of the response has been written.
    final func responseProgressed() { self.touch() }

    /// The response is complete; the upstream connection has been given back.
    final func responseEnded() {
        self.upstream = nil
        let isFailure = self.exchange.status >= 500
        if isFailure {
            self.exchange.pool?.counts.requestsFailed += 1
        } else {
            self.exchange.pool?.counts.requestsSucceeded += 1
        }
        self.uncountAttempt()
        if let cluster = self.exchange.cluster {
            let end = NIODeadline.now().uptimeNanoseconds
            cluster.durations.record(nanoseconds: Int(end &- self.exchange.startNanoseconds))
        }
        self.endExchange()
    }

    /// The last byte of an answer, ours or an endpoint's, is written.
    final func endExchange() {
        self.flush()
        let next = self.machine.responseEnded()
        self.finishExchange()
        self.answerEnded(next)
    }

    /// Counts and logs the exchange.
    func finishExchange() {
        guard self.exchange.isActive else { return }
        self.exchange.isActive = false
        self.giveBackPlace()
        self.deadlines.route = Tick.never
        self.deadlines.attempt = Tick.never
        self.counters.counts.requestsActive -= 1
        if self.exchange.status > 0 { self.counters.counts.responses.count(self.exchange.status) }
        if self.machine.retriesExhausted { self.exchange.cluster?.counts.retriesExhausted += 1 }
        if self.exchange.isRetrying { self.exchange.cluster?.retriesActive -= 1 }
        if !self.logs.isEmpty { self.log() }
        if self.mixing != nil { self.reportExchange() }
        // Let go of what belongs to configuration that may have gone; the buffers stay.
        self.exchange.route = nil
        self.exchange.forward = nil
        self.exchange.cluster = nil
        self.exchange.pool = nil
        self.exchange.heldBody = ByteBuffer()
        self.exchange.effects = nil
        self.exchange.unmarkedEffects = nil
        self.exchange.directive = nil
    }

    private func log() {
        let end = NIODeadline.now().uptimeNanoseconds
        let sent = self.exchange.headBytesWritten > 0 ? self.exchange.bytesWritten - self.exchange.headBytesWritten : 0
        var record = LogRecord(startMilliseconds: self.exchange.startMilliseconds)
        record.protocolName = self.isHTTP2 ? .http2 : (self.exchange.minorVersion == 0 ? .http10 : .http11)
        record.details = self.exchange.details
        record.upstreamFailure = self.exchange.upstreamFailure
        record.peer = self.facts.peer
        record.localURI = self.facts.localURI
        record.tlsVersion = self.facts.tlsVersion
        record.status = self.exchange.status
        record.reason = self.exchange.reason
        record.retriesExhausted = self.machine.retriesExhausted
        record.bytesReceived = self.exchange.bytesReceived
        record.bytesSent = self.exchange.awaitsUpgrade ? self.exchange.bytesSent : max(0, sent)
        record.durationMilliseconds = Int((end &- self.exchange.startNanoseconds) / 1_000_000)
        if self.exchange.responseNanoseconds > 0 {
            let elapsed = self.exchange.responseNanoseconds &- self.exchange.startNanoseconds
            record.responseMilliseconds = Int(elapsed / 1_000_000)
        }
        record.serviceMilliseconds = self.exchange.serviceMilliseconds
        record.upstreamHost = self.exchange.pool?.address
        record.upstreamLocal = self.exchange.upstreamLocal
        record.clusterName = self.exchange.cluster?.cluster.statName ?? self.exchange.clusterName
        record.downstreamLocal = self.facts.destination
        record.downstreamRemote = self.facts.source
        record.serverName = self.facts.serverName
        record.routeName = self.exchange.route?.name
        for log in self.logs {
            log.sink.append { line in
                log.format.write(record, request: self.captured, response: self.capturedResponse, to: &line)
            }
        }
    }

    // MARK: Upgrades

    /// The endpoint agreed to another protocol: from here on bytes are passed both ways as they come.
    final func upgraded(_ response: borrowing ResponseScanner, _ bytes: UnsafeRawBufferPointer) {
        self.counters.counts.upgrades += 1
        var out = self.worker.takeScratch()
        _ = self.responseHeadReceived(response, bytes, .none, isHTTP2: false, into: &out)
        self.write(out, isLast: false)
        self.flush()
        self.worker.returnScratch(out)
        guard !self.isEnded else { return }
        self.exchange.isTunnel = true
        self.deadlines.route = Tick.never
        self.deadlines.attempt = Tick.never
        self.tunnelStarted()
    }

    final func tunnelReceived(_ bytes: ByteBuffer) {
        self.exchange.bytesSent += bytes.readableBytes
        self.touch()
        self.write(bytes, isLast: false)
    }

    final func upstreamTunnelClosed(isReset: Bool) {
        self.upstream = nil
        self.uncountAttempt()
        if isReset { self.exchange.reason = .upstreamReset }
        self.finishExchange()
        self.tunnelClosed(isReset: isReset)
    }
}
