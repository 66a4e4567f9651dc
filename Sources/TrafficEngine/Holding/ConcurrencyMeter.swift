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
    /// Whether a first request has been told of since, which the next report leaves out.
    private var hasToldFirst = false

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
        if isFirst { self.hasToldFirst = true }
        return isFirst
    }

    package mutating func ended(at now: Duration) {
        self.advance(to: now)
        self.inFlight = max(0, self.inFlight - 1)
    }

    /// The averages since the last report; `nil` if there was nothing then and now. The last request's end is reported
    /// once, so that the autoscaler learns of it. A first request that has been told of is not told again: the autoscaler
    /// adds up what it hears within a second, and one request would look like two.
    package mutating func report(at now: Duration) -> (concurrency: Double, requests: Double)? {
        self.advance(to: now)
        let seconds = (now - self.reported) / .seconds(1)
        let told = self.hasToldFirst ? 1.0 : 0
        let concurrency = max(0, (seconds > 0 ? self.area / seconds : Double(self.inFlight)) - told)
        let requests = Double(self.began) - told
        let isBusy = self.inFlight > 0 || self.began > 0 || self.area > 0
        defer {
            self.area = 0
            self.began = 0
            self.hasToldFirst = false
            self.reported = now
            self.wasBusy = isBusy
        }
        return isBusy || self.wasBusy ? (concurrency, requests) : nil
    }

    private mutating func advance(to now: Duration) {
        self.area += Double(self.inFlight) * ((now - self.last) / .seconds(1))
        self.last = now
    }
}
