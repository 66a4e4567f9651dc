/// Requests in flight over time, averaged between two reports: what an activator, or a pod, tells the autoscaler.
package struct ConcurrencyMeter: Sendable {
    private struct Share {
        var inFlight = 0
        var began = 0
        /// Requests times seconds since the last report.
        var area = 0.0

        mutating func advance(by seconds: Double) { self.area += Double(self.inFlight) * seconds }

        func concurrency(over seconds: Double) -> Double {
            seconds > 0 ? self.area / seconds : Double(self.inFlight)
        }

        mutating func reported() {
            self.area = 0
            self.began = 0
        }
    }

    private var all = Share()
    /// Those that somebody else has reported before.
    private var proxied = Share()
    private var last: Duration
    private var reported: Duration
    /// Whether the last report said anything.
    private var wasBusy = false
    /// Whether a first request is told of without waiting.
    private let tellsFirst: Bool
    /// What has been told of since, which the next report leaves out.
    private var told = (concurrency: 0.0, requests: 0.0)
    /// The most that was told of until then, and within the same second may be no news.
    private var heard = 0.0

    /// Measures from `now` on. `tellsFirst`: whoever keeps the meter reports a first request at once.
    package init(tellsFirst: Bool = true, at now: Duration) {
        self.tellsFirst = tellsFirst
        self.last = now
        self.reported = now
    }

    /// A request has come. Says whether it is the first after none, which is reported without waiting.
    package mutating func began(isProxied: Bool = false, at now: Duration) -> Bool {
        self.advance(to: now)
        let isFirst = self.tellsFirst && self.all.inFlight == 0 && self.all.began == 0 && !self.wasBusy
        self.all.inFlight += 1
        self.all.began += 1
        if isProxied {
            self.proxied.inFlight += 1
            self.proxied.began += 1
        }
        if isFirst { self.told = (1, 1) }
        return isFirst
    }

    /// A request has ended; `isProxied` as when it began.
    package mutating func ended(isProxied: Bool = false, at now: Duration) {
        self.advance(to: now)
        self.all.inFlight = max(0, self.all.inFlight - 1)
        if isProxied { self.proxied.inFlight = max(0, self.proxied.inFlight - 1) }
    }

    /// The averages since the last report; `nil` if there was nothing then and now. The last request's end is reported
    /// once, so that the autoscaler learns of it. What has been told of meanwhile is not told again: the autoscaler adds up
    /// what it hears within a second, and one request would look like two.
    package mutating func report(at now: Duration) -> ActivationReport? {
        self.advance(to: now)
        let seconds = (now - self.reported) / .seconds(1)
        let report = ActivationReport(
            concurrency: max(0, self.all.concurrency(over: seconds) - self.told.concurrency),
            requests: Double(self.all.began) - self.told.requests,
            proxiedConcurrency: self.proxied.concurrency(over: seconds),
            proxiedRequests: Double(self.proxied.began)
        )
        let isBusy = self.all.inFlight > 0 || self.all.began > 0 || self.all.area > 0
        defer {
            self.heard = max(self.told.concurrency, report.concurrency)
            self.all.reported()
            self.proxied.reported()
            self.told = (0, 0)
            self.reported = now
            self.wasBusy = isBusy
        }
        return isBusy || self.wasBusy ? report : nil
    }

    /// What is in flight now and has not been told of, in the last report or since, for an autoscaler that should not wait
    /// for the next; `nil` if that is nothing.
    package mutating func reportEarly(at now: Duration) -> ActivationReport? {
        self.advance(to: now)
        let more = Double(self.all.inFlight) - self.told.concurrency - self.heard
        guard more > 0 else { return nil }
        let requests = Double(self.all.began) - self.told.requests
        self.told = (self.told.concurrency + more, self.told.requests + requests)
        return ActivationReport(concurrency: more, requests: requests, isEarly: true)
    }

    private mutating func advance(to now: Duration) {
        let seconds = (now - self.last) / .seconds(1)
        self.all.advance(by: seconds)
        self.proxied.advance(by: seconds)
        self.last = now
    }
}
