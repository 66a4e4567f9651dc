package import TrafficEngine

/// Counts of one cluster.
package struct ClusterStatistics: Sendable, Hashable {
    package var counts = ClusterCounts()
    package var durations = DurationHistogram()
    /// In the cluster's order.
    package var endpoints: [EndpointStatistics] = []

    package init() {}

    /// The numbers under Envoy's names (`cluster.<name>.…`).
    package var all: [Statistic] {
        let counts = self.counts
        return [
            Statistic("membership_total", .gauge, self.endpoints.count),
            Statistic("membership_healthy", .gauge, self.endpoints.count(where: \.isHealthy)),
            Statistic("upstream_cx_total", .counter, counts.connections),
            Statistic("upstream_cx_active", .gauge, counts.connectionsActive),
            Statistic("upstream_cx_connect_fail", .counter, counts.connectsFailed),
            Statistic("upstream_cx_connect_timeout", .counter, counts.connectsTimedOut),
            Statistic("upstream_cx_destroy", .counter, counts.connectionsDestroyed),
            Statistic("upstream_cx_max_requests", .counter, counts.connectionsUsedUp),
            Statistic("upstream_cx_idle_timeout", .counter, counts.connectionsIdledOut),
            Statistic("upstream_cx_none_healthy", .counter, counts.noneHealthy),
            Statistic("upstream_cx_overflow", .counter, counts.connectionsOverflowed),
            Statistic("upstream_cx_protocol_error", .counter, counts.protocolErrors),
            Statistic("upstream_cx_rx_bytes_total", .counter, counts.bytesReceived),
            Statistic("upstream_cx_tx_bytes_total", .counter, counts.bytesSent),
            Statistic("upstream_rq_total", .counter, counts.requests),
            Statistic("upstream_rq_active", .gauge, counts.requestsActive),
            Statistic("upstream_rq_pending_total", .counter, counts.requestsPending),
            Statistic("upstream_rq_pending_active", .gauge, counts.requestsPendingActive),
            Statistic("upstream_rq_pending_overflow", .counter, counts.requestsOverflowed),
            Statistic("outlier_detection.ejections_enforced_total", .counter, counts.endpointsEjected),
            Statistic("upstream_rq_timeout", .counter, counts.requestsTimedOut),
            Statistic("upstream_rq_per_try_timeout", .counter, counts.triesTimedOut),
            Statistic("upstream_rq_retry", .counter, counts.retries),
            Statistic("upstream_rq_retry_success", .counter, counts.retriesSucceeded),
            Statistic("upstream_rq_retry_limit_exceeded", .counter, counts.retriesExhausted),
            Statistic("upstream_rq_rx_reset", .counter, counts.resets),
        ] + counts.responses.all(prefix: "upstream_rq_")
            + counts.http2.all.map { Statistic("http2." + $0.name, $0.kind, $0.value) } + counts.tls.all
    }

    func adding(_ other: ClusterStatistics) -> ClusterStatistics {
        var sum = self
        sum.counts.add(other.counts)
        sum.durations.add(other.durations)
        for endpoint in other.endpoints {
            if let index = sum.endpoints.firstIndex(where: { $0.address == endpoint.address }) {
                sum.endpoints[index].counts.add(endpoint.counts)
            } else {
                sum.endpoints.append(endpoint)
            }
        }
        return sum
    }
}

/// Plain numbers that a loop counts up for a cluster.
package struct ClusterCounts: Sendable, Hashable {
    package var connections = 0
    package var connectionsActive = 0
    package var connectsFailed = 0
    package var connectsTimedOut = 0
    package var connectionsDestroyed = 0
    package var connectionsUsedUp = 0
    package var connectionsIdledOut = 0
    package var noneHealthy = 0
    package var connectionsOverflowed = 0
    package var protocolErrors = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    package var requests = 0
    package var requestsActive = 0
    package var requestsPending = 0
    package var requestsPendingActive = 0
    package var requestsOverflowed = 0
    /// By outlier detection.
    package var endpointsEjected = 0
    package var requestsTimedOut = 0
    package var triesTimedOut = 0
    package var retries = 0
    package var retriesSucceeded = 0
    package var retriesExhausted = 0
    package var resets = 0
    package var responses = StatusCounts()
    package var http2 = HTTP2Counts()
    package var tls = TLSStatistics()

    package init() {}

    mutating func add(_ other: ClusterCounts) {
        self.http2.add(other.http2)
        self.tls.add(other.tls)
        self.connections += other.connections
        self.connectionsActive += other.connectionsActive
        self.connectsFailed += other.connectsFailed
        self.connectsTimedOut += other.connectsTimedOut
        self.connectionsDestroyed += other.connectionsDestroyed
        self.connectionsUsedUp += other.connectionsUsedUp
        self.connectionsIdledOut += other.connectionsIdledOut
        self.noneHealthy += other.noneHealthy
        self.connectionsOverflowed += other.connectionsOverflowed
        self.protocolErrors += other.protocolErrors
        self.bytesReceived += other.bytesReceived
        self.bytesSent += other.bytesSent
        self.requests += other.requests
        self.requestsActive += other.requestsActive
        self.requestsPending += other.requestsPending
        self.requestsPendingActive += other.requestsPendingActive
        self.requestsOverflowed += other.requestsOverflowed
        self.endpointsEjected += other.endpointsEjected
        self.requestsTimedOut += other.requestsTimedOut
        self.triesTimedOut += other.triesTimedOut
        self.retries += other.retries
        self.retriesSucceeded += other.retriesSucceeded
        self.retriesExhausted += other.retriesExhausted
        self.resets += other.resets
        self.responses.add(other.responses)
    }
}

/// Counts of one endpoint of a cluster.
package struct EndpointStatistics: Sendable, Hashable {
    package var address: NetworkAddress
    package var weight: UInt32
    package var isHealthy: Bool
    package var counts: EndpointCounts

    package init(address: NetworkAddress, weight: UInt32, isHealthy: Bool, counts: EndpointCounts = EndpointCounts()) {
        self.address = address
        self.weight = weight
        self.isHealthy = isHealthy
        self.counts = counts
    }
}

/// Plain numbers that a loop counts up for an endpoint.
package struct EndpointCounts: Sendable, Hashable {
    package var connections = 0
    package var connectionsActive = 0
    package var connectsFailed = 0
    package var requests = 0
    package var requestsActive = 0
    package var requestsFailed = 0
    package var requestsSucceeded = 0

    package init() {}

    /// The numbers under the names of Envoy's `/clusters`.
    package var all: [Statistic] {
        [
            Statistic("cx_active", .gauge, self.connectionsActive),
            Statistic("cx_connect_fail", .counter, self.connectsFailed),
            Statistic("cx_total", .counter, self.connections),
            Statistic("rq_active", .gauge, self.requestsActive),
            Statistic("rq_error", .counter, self.requestsFailed),
            Statistic("rq_success", .counter, self.requestsSucceeded),
            Statistic("rq_total", .counter, self.requests),
        ]
    }

    mutating func add(_ other: EndpointCounts) {
        self.connections += other.connections
        self.connectionsActive += other.connectionsActive
        self.connectsFailed += other.connectsFailed
        self.requests += other.requests
        self.requestsActive += other.requestsActive
        self.requestsFailed += other.requestsFailed
        self.requestsSucceeded += other.requestsSucceeded
    }
}

/// How long requests took, in fixed buckets (those of Envoy's histograms, in milliseconds).
package struct DurationHistogram: Sendable, Hashable {
    /// Upper bounds, in milliseconds, `le` in Prometheus; a last bucket without a bound follows.
    package static let bounds: [Double] = [
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
    ]

    /// Requests per bucket, not cumulated; one more than `bounds`.
    package private(set) var counts = [Int](repeating: 0, count: Self.bounds.count + 1)
    package private(set) var sumMicroseconds = 0

    package init() {}

    package var count: Int { self.counts.reduce(0, +) }

    mutating func record(nanoseconds: Int) {
        let index: Int
        switch nanoseconds {
        case ...500_000: index = 0
        case ...1_000_000: index = 1
        case ...5_000_000: index = 2
        case ...10_000_000: index = 3
        case ...25_000_000: index = 4
        case ...50_000_000: index = 5
        case ...100_000_000: index = 6
        case ...250_000_000: index = 7
        case ...500_000_000: index = 8
        case ...1_000_000_000: index = 9
        case ...2_500_000_000: index = 10
        case ...5_000_000_000: index = 11
        case ...10_000_000_000: index = 12
        case ...30_000_000_000: index = 13
        case ...60_000_000_000: index = 14
        default: index = 15
        }
        self.counts[index] += 1
        self.sumMicroseconds += nanoseconds / 1000
    }

    mutating func add(_ other: DurationHistogram) {
        for index in self.counts.indices { self.counts[index] += other.counts[index] }
        self.sumMicroseconds += other.sumMicroseconds
    }
}
