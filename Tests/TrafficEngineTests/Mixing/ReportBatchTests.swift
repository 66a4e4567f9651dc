import MeshModel
import Testing
import TrafficEngine

@Suite struct ReportBatchTests {
    private static func report(_ status: Int = 200) -> MixerReport {
        let request = MixedRequest()
        var report = request.text.withView {
            MixerReport(request: OwnedRequest($0), facts: request.facts, policy: request.policy)
        }
        report.status = status
        return report
    }

    @Test("The first report starts the timer, the hundredth sends them all")
    func count() {
        var batch = ReportBatch()
        guard case .startTimer = batch.added(Self.report()) else {
            Issue.record("no timer")
            return
        }
        for _ in 2..<100 {
            guard case .wait = batch.added(Self.report()) else {
                Issue.record("did not wait")
                return
            }
        }
        guard case .send(let reports) = batch.added(Self.report()) else {
            Issue.record("not sent")
            return
        }
        #expect(reports.count == 100)
        // The timer that was started finds nothing.
        guard case .wait = batch.timeElapsed() else {
            Issue.record("sent nothing")
            return
        }
    }

    @Test("When time is over, what there is is sent")
    func time() {
        var batch = ReportBatch()
        _ = batch.added(Self.report(201))
        _ = batch.added(Self.report(202))
        guard case .send(let reports) = batch.timeElapsed() else {
            Issue.record("not sent")
            return
        }
        #expect(reports.map(\.status) == [201, 202])
    }

    @Test("An engine that does not keep up loses reports, and they are counted")
    func unconfirmed() {
        var batch = ReportBatch()
        func send() -> Int? {
            _ = batch.added(Self.report())
            if case .drop(let count) = batch.timeElapsed() { return count }
            return nil
        }
        for _ in 0..<ReportBatch.unconfirmedMax { #expect(send() == nil) }
        #expect(send() == 1)
        batch.settled()
        #expect(send() == nil)
    }

    @Test("Deltas say what differs; where something is missing, each entry stands for itself")
    func encoding() {
        let first: [String: MixerValue] = ["a": .number(1), "b": .text("x")]
        let second: [String: MixerValue] = ["a": .number(1), "b": .text("y"), "c": .truth(true)]
        #expect(ReportEncoding([first, second]) == .deltas([first, ["b": .text("y"), "c": .truth(true)]]))
        #expect(ReportEncoding([second, first]) == .whole([second, first]))
        #expect(ReportEncoding([]) == .deltas([]))
    }

    @Test("A report says what became of the request, and what the engine had said")
    func attributes() {
        var report = Self.report(403)
        report.duration = .milliseconds(1500)
        report.startMilliseconds = 1000
        report.bytesSent = 5
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
        report.check = nil
        #expect(report.attributes["check.error_code"] == nil)
    }
}
