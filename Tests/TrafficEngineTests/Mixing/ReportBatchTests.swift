import MeshModel
import Testing
import TrafficEngine

@Suite struct ReportBatchTests {
    private static func report(_ status: Int = 200) -> MixerReport {
        var outcome = RequestOutcome()
        outcome.status = status
        return Self.report(outcome)
    }

    private static func report(_ outcome: RequestOutcome) -> MixerReport {
        let request = MixedRequest()
        let owned = request.text.withView { OwnedRequest($0) }
        return MixerReport(.request(owned), request.facts, request.policy, .request(outcome))
    }

    /// What is to be done after each of so many reports that come at one moment.
    private func add(_ count: Int, to batch: inout ReportBatch, at now: Duration) -> [ReportBatch.Next] {
        (0..<count).map { _ in batch.added(bytes: 0, now: now) }
    }

    @Test("The first report starts the timer, the hundredth sends them all")
    func count() {
        var batch = ReportBatch()
        let next = self.add(100, to: &batch, at: .zero)
        #expect(next == [.startTimer(.seconds(1))] + Array(repeating: .wait, count: 98) + [.send(100)])
        // The timer that was started finds nothing, and the next report starts another.
        #expect(batch.timeElapsed(now: .seconds(1)) == .wait)
        #expect(batch.added(bytes: 0, now: .seconds(1)) == .startTimer(.seconds(1)))
    }

    @Test("A batch that follows another at once waits for more reports")
    func busy() {
        var batch = ReportBatch()
        _ = self.add(100, to: &batch, at: .zero)
        let soon = self.add(1000, to: &batch, at: .milliseconds(49))
        #expect(soon == Array(repeating: .wait, count: 999) + [.send(1000)])
        _ = self.add(150, to: &batch, at: .milliseconds(98))
        #expect(batch.added(bytes: 0, now: .milliseconds(99)) == .send(151))
    }

    @Test("Large reports do not wait for others")
    func bytes() {
        var batch = ReportBatch()
        #expect(batch.added(bytes: ReportBatch.bytesMax - 1, now: .zero) == .startTimer(.seconds(1)))
        #expect(batch.added(bytes: ReportBatch.bytesMax, now: .zero) == .send(2))
    }

    @Test("When time is over, what there is is sent, but nothing earlier than its own time")
    func time() {
        var batch = ReportBatch()
        _ = self.add(2, to: &batch, at: .zero)
        #expect(batch.timeElapsed(now: .seconds(1)) == .send(2))
        _ = self.add(100, to: &batch, at: .seconds(2))
        #expect(self.add(3, to: &batch, at: .milliseconds(2400)) == [.wait, .wait, .wait])
        #expect(batch.timeElapsed(now: .seconds(3)) == .startTimer(.milliseconds(400)))
        #expect(batch.timeElapsed(now: .milliseconds(3400)) == .send(3))
        #expect(batch.ended(now: .seconds(4)) == .wait)
        _ = self.add(1, to: &batch, at: .seconds(5))
        #expect(batch.ended(now: .seconds(5)) == .send(1))
    }

    @Test("An engine that does not keep up loses reports, and they are counted")
    func unconfirmed() {
        var batch = ReportBatch()
        func send() -> ReportBatch.Next {
            _ = batch.added(bytes: 0, now: .zero)
            return batch.timeElapsed(now: .seconds(1))
        }
        for _ in 0..<ReportBatch.unconfirmedMax { #expect(send() == .send(1)) }
        #expect(send() == .drop(1))
        batch.settled()
        #expect(send() == .send(1))
    }

    @Test("A report says what became of the request, and what the engine had said")
    func attributes() {
        var outcome = RequestOutcome()
        outcome.status = 403
        outcome.bytesSent = 5
        var report = Self.report(outcome)
        report.duration = .milliseconds(1500)
        report.startMilliseconds = 1000
        report.flags = "UAEX"
        report.check = MixerReport.Check(status: MixerStatus(code: 7, message: "no"), isFromCache: true)
        let values = report.attributes
        #expect(values["response.code"] == .number(403))
        #expect(values["response.size"] == .number(5))
        #expect(values["response.duration"] == .duration(.milliseconds(1500)))
        #expect(values["response.time"] == .moment(milliseconds: 2500))
        #expect(values["context.proxy_error_code"] == .text("UAEX"))
        #expect(values["check.error_code"] == .number(7) && values["check.error_message"] == .text("no"))
        #expect(values["check.cache_hit"] == .truth(true))
        #expect(values["destination.namespace"] == .text("shop"))
        #expect(values["quota.cache_hit"] == nil && values["response.headers"] == nil)
        report.check = nil
        #expect(report.attributes["check.error_code"] == nil)
        report.check = MixerReport.Check(status: MixerStatus(), isFromCache: true, isQuotaFromCache: false)
        #expect(report.attributes["quota.cache_hit"] == .truth(false))
    }

    /// Header lines as they stand in a head.
    private func headers(_ lines: [(String, String)]) -> ReportedHeaders {
        var text: [UInt8] = []
        var fields: [HeaderField] = []
        for (name, value) in lines {
            let start = text.count
            text += Array(name.utf8) + Array(value.utf8)
            fields.append(
                HeaderField(
                    name: ByteRange(start: UInt32(start), count: UInt32(name.utf8.count)),
                    value: ByteRange(start: UInt32(start + name.utf8.count), count: UInt32(value.utf8.count))
                )
            )
        }
        return text.withUnsafeBytes { ReportedHeaders($0, fields) }
    }

    @Test("A report says which headers the endpoint sent, and gRPC's status wherever that stood")
    func responses() {
        var outcome = RequestOutcome()
        outcome.status = 200
        outcome.response = self.headers([("Content-Type", "text/plain"), ("X-A", "1"), ("x-a", "2")])
        let plain = Self.report(outcome).attributes
        #expect(
            plain["response.headers"] == .map([":status": "200", "content-type": "text/plain", "x-a": "1,2"])
        )
        #expect(plain["response.grpc_status"] == nil)
        outcome.response = self.headers([("grpc-status", "7"), ("grpc-message", "no")])
        #expect(Self.report(outcome).attributes["response.grpc_status"] == .text("7"))
        outcome.response?.set(trailers: Array("x: y\r\nGrpc-Status:  5\r\nbad\r\ngrpc-message: not: found\r\n".utf8))
        let trailers = Self.report(outcome).attributes
        #expect(trailers["response.grpc_status"] == .text("5"))
        #expect(trailers["response.grpc_message"] == .text("not: found"))
    }

    @Test("A connection is told by its bytes and its peer, and by nothing of requests")
    func connections() {
        var facts = MixedRequest().facts
        facts.peer = PeerIdentity(uris: ["spiffe://cluster.local/ns/shop/sa/client"])
        facts.localURI = "spiffe://cluster.local/ns/shop/sa/own"
        facts.serverName = "outbound_.80_._.db.shop.svc.cluster.local"
        var traffic = ConnectionTraffic(.continue)
        (traffic.bytesReceived, traffic.bytesReceivedTotal) = (1, 11)
        (traffic.bytesSent, traffic.bytesSentTotal) = (2, 22)
        let policy = MixedRequest().policy
        var report = MixerReport(.connection(id: "c1"), facts, policy, .connection(traffic))
        report.duration = .seconds(3)
        report.startMilliseconds = 1000
        let values = report.attributes
        #expect(values["connection.id"] == .text("c1") && values["connection.event"] == .text("continue"))
        #expect(values["connection.received.bytes"] == .number(1))
        #expect(values["connection.received.bytes_total"] == .number(11))
        #expect(values["connection.sent.bytes"] == .number(2))
        #expect(values["connection.sent.bytes_total"] == .number(22))
        #expect(values["connection.duration"] == nil)
        #expect(values["context.protocol"] == .text("tcp") && values["context.time"] == .moment(milliseconds: 4000))
        #expect(values["source.principal"] == .text("cluster.local/ns/shop/sa/client"))
        #expect(values["destination.principal"] == .text("cluster.local/ns/shop/sa/own"))
        #expect(values["connection.mtls"] == .truth(true))
        #expect(values["connection.requested_server_name"] == .text("outbound_.80_._.db.shop.svc.cluster.local"))
        #expect(!values.keys.contains { $0.hasPrefix("request.") || $0.hasPrefix("response.") })
        report.outcome = .connection(ConnectionTraffic(.close))
        #expect(report.attributes["connection.duration"] == .duration(.seconds(3)))
    }
}
