internal import NIOCore
internal import TrafficEngine

extension ServerExchange {
    /// Tells the policy engine what became of the request, if its policies want that.
    final func reportExchange() {
        guard var report = self.gate?.takeReport(), let server = report.policy.reportServer else { return }
        let nanoseconds = NIODeadline.now().uptimeNanoseconds &- self.exchange.startNanoseconds
        report.duration = .nanoseconds(Int64(clamping: nanoseconds))
        report.startMilliseconds = Int64(WallClock.milliseconds()) - Int64(clamping: nanoseconds / 1_000_000)
        report.status = self.exchange.status
        report.bytesReceived = self.exchange.bytesReceived
        report.bytesWritten = self.exchange.bytesWritten
        if self.exchange.awaitsUpgrade {
            report.bytesSent = self.exchange.bytesSent
        } else if self.exchange.headBytesWritten > 0 {
            report.bytesSent = max(0, self.exchange.bytesWritten - self.exchange.headBytesWritten)
        }
        report.flags = self.exchange.reason.responseFlag
        self.worker.mixer.report(report, to: server, on: self.worker)
    }
}
