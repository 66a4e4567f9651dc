/// Reports of one revision that follow each other, as the one that they are told as.
///
/// Requests that began add up. Requests in flight do not from one second to the next, where the same are counted again:
/// the busiest second counts. Within a second the parts that are told early add up with what the report of the second
/// still says, as each leaves out those before it.
struct GatheredStat: Sendable {
    /// What began in all; what was in flight in the busiest second that is over.
    private var stat: Stat
    /// A second is over.
    private var hasSecond = false
    /// What was told early of the second that is not.
    private var early = (concurrency: 0.0, requests: 0.0)
    /// What such parts may leave out of the second before, as it was told then.
    private var heard = 0.0

    init(_ first: Stat, isEarly: Bool) {
        self.stat = Stat(podName: first.podName)
        self.add(first, isEarly: isEarly)
    }

    /// All of it in one.
    var whole: Stat {
        var stat = self.stat
        let now = self.heard + self.early.concurrency
        if self.early.concurrency > 0, now > stat.value(of: .concurrency) {
            stat.averageConcurrentRequests = now
            stat.averageProxiedConcurrentRequests = 0
        }
        return stat
    }

    /// Takes the next report in.
    mutating func add(_ next: Stat, isEarly: Bool) {
        self.stat.processUptime = next.processUptime
        self.stat.requestCount += next.requestCount
        self.stat.proxiedRequestCount += next.proxiedRequestCount
        if isEarly {
            self.early.concurrency += next.averageConcurrentRequests
            self.early.requests += next.requestCount
            return
        }
        var second = next
        second.averageConcurrentRequests += self.early.concurrency
        self.heard = max(self.early.concurrency, next.value(of: .concurrency))
        self.early = (0, 0)
        if !self.hasSecond || second.value(of: .concurrency) > self.stat.value(of: .concurrency) {
            self.stat.averageConcurrentRequests = second.averageConcurrentRequests
            self.stat.averageProxiedConcurrentRequests = second.averageProxiedConcurrentRequests
        }
        self.hasSecond = true
    }

    /// Takes in what was gathered after it.
    mutating func add(_ newer: GatheredStat) {
        if newer.hasSecond {
            var seconds = newer.stat
            seconds.requestCount -= newer.early.requests
            self.add(seconds, isEarly: false)
            self.heard = newer.heard
        }
        guard newer.early != (0, 0) else { return }
        var part = newer.stat
        part.averageConcurrentRequests = newer.early.concurrency
        part.requestCount = newer.early.requests
        part.proxiedRequestCount = 0
        self.add(part, isEarly: true)
    }

    /// Forgets the seconds that are over; the one that is not keeps what was told of it.
    mutating func startOver() {
        self.stat = Stat(podName: self.stat.podName, requestCount: self.early.requests)
        self.hasSecond = false
        self.heard = 0
    }
}
