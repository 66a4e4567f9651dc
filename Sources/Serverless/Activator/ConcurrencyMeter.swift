/// Requests in flight over time, averaged between two reports: what an activator tells the autoscaler.
package struct ConcurrencyMeter: Sendable {
    private var inFlight = 0
    private var began = 0
    /// Requests times seconds since the last report.
    private var area = 0.0
    private var last: Duration
    private var reported: Duration
    /// Whether the last report said anything.
    private var wasBusy = false

    /// Measures from `now` on.
    package init(at now: Duration) {
        self.last = now
        self.reported = now
    }

    /// A request has come. Says whether it is the first after none, which is reported without waiting.
    package mutating func began(at now: Duration) -> Bool {
        self.advance(to: now)
        let isFirst = self.inFlight == 0 && self.began == 0 && !self.wasBusy
        self.inFlight += 1
        self.began += 1
        return isFirst
    }

    package mutating func ended(at now: Duration) {
        self.advance(to: now)
        self.inFlight = max(0, self.inFlight - 1)
    }

    /// The averages since the last report; `nil` if there was nothing then and now. The last request's end is reported
    /// once, so that the autoscaler learns of it.
    package mutating func report(at now: Duration) -> (concurrency: Double, requests: Double)? {
        self.advance(to: now)
        let seconds = (now - self.reported).inSeconds
        let concurrency = seconds > 0 ? self.area / seconds : Double(self.inFlight)
        let requests = Double(self.began)
        let isBusy = self.inFlight > 0 || self.began > 0 || self.area > 0
        defer {
            self.area = 0
            self.began = 0
            self.reported = now
            self.wasBusy = isBusy
        }
        return isBusy || self.wasBusy ? (concurrency, requests) : nil
    }

    private mutating func advance(to now: Duration) {
        self.area += Double(self.inFlight) * (now - self.last).inSeconds
        self.last = now
    }
}
