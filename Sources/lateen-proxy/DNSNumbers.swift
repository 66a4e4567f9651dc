import DNSProxy
import ProxyRuntime

/// What the administration interface shows of DNS.
enum DNSNumbers {
    static func all(_ counts: DNSStatistics) -> [Statistic] {
        var all = [
            self.counter("requests_total", counts.requests, "dns_requests_total"),
            self.counter("upstream_requests_total", counts.upstreamRequests, "dns_upstream_requests_total"),
            self.counter("upstream_failures_total", counts.upstreamFailures, "dns_upstream_failures_total"),
            self.counter("upstream_joined_total", counts.joined, "lateen_dns_upstream_joined_total"),
            self.counter(
                "upstream_tries_dropped_total",
                counts.triesDropped,
                "lateen_dns_upstream_tries_dropped_total"
            ),
            self.counter("prefetches_total", counts.prefetches, "lateen_dns_prefetches_total"),
            self.counter("truncated_total", counts.truncated, "lateen_dns_truncated_total"),
            self.counter("overloaded_total", counts.overloaded, "lateen_dns_overloaded_total"),
            self.counter("loops_total", counts.loops, "lateen_dns_loops_total"),
            self.counter(
                "connections_refused_total",
                counts.connectionsRefused,
                "lateen_dns_connections_refused_total"
            ),
            self.counter("strange_records_total", counts.strangers, "lateen_dns_strange_records_total"),
            self.counter("cache.misses_total", counts.cacheMisses, "lateen_dns_cache_misses_total"),
            self.counter("cache.evictions_total", counts.cacheEvictions, "lateen_dns_cache_evictions_total"),
            self.gauge("cache.entries", counts.cacheEntries, "lateen_dns_cache_entries"),
            self.gauge("cache.bytes", counts.cacheBytes, "lateen_dns_cache_bytes"),
        ]
        all += self.outcomes(counts)
        for kind in UpstreamQuestion.Forgery.allCases {
            let name = self.name(kind)
            all.append(
                self.counter("forged.\(name)_total", counts.forged[kind] ?? 0, "lateen_dns_forged_total", "kind", name)
            )
        }
        for (server, known) in counts.upstreams.sorted(by: { $0.key.description < $1.key.description }) {
            all += self.upstream(server.description, known)
        }
        return all + self.durations(counts.upstreamDuration)
    }

    /// Answers by where they came from.
    private static func outcomes(_ counts: DNSStatistics) -> [Statistic] {
        [
            ("local", counts.answeredLocally, "answered_locally_total"), ("hit", counts.cacheHits, "cache.hits_total"),
            ("negative", counts.cacheNegativeHits, "cache.negative_hits_total"),
            ("stale", counts.staleAnswers, "cache.stale_total"),
            ("forwarded", counts.forwardedAnswers, "forwarded_total"),
            ("servfail", counts.serverFailures, "server_failures_total"),
            ("malformed", counts.malformed, "malformed_total"),
        ].map { self.counter($0.2, $0.1, "lateen_dns_answers_total", "outcome", $0.0) }
    }

    private static func upstream(_ server: String, _ known: UpstreamHealth.Server) -> [Statistic] {
        let prefix = "upstream.\(server)"
        var all = [
            ("requests", known.requests), ("answers", known.answers), ("failures", known.failures),
            ("deaths", known.deaths),
        ].map { name, value in
            self.counter("\(prefix).\(name)_total", value, "lateen_dns_upstream_\(name)_total", "upstream", server)
        }
        all.append(
            self.gauge("\(prefix).alive", known.isAlive ? 1 : 0, "lateen_dns_upstream_alive", "upstream", server)
        )
        if let time = known.roundTrip {
            let microseconds = Int(time / .microseconds(1))
            let name = "lateen_dns_upstream_round_trip_microseconds"
            all.append(self.gauge("\(prefix).round_trip_us", microseconds, name, "upstream", server))
        }
        return all
    }

    /// A histogram's cumulative buckets.
    private static func durations(_ histogram: DNSDurationHistogram) -> [Statistic] {
        let name = "dns_upstream_request_duration_seconds"
        var sum: UInt64 = 0
        var all: [Statistic] = []
        for (index, count) in histogram.counts.enumerated() {
            sum += count
            let bounds = DNSDurationHistogram.bounds
            let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
            all.append(
                self.counter("upstream_request_duration_seconds.le_\(bound)", sum, "\(name)_bucket", "le", bound)
            )
        }
        all.append(self.counter("upstream_request_duration_seconds.count", sum, "\(name)_count"))
        all.append(
            Statistic(
                "dns.upstream_request_duration_seconds.sum_us",
                .counter,
                histogram.sumMicroseconds,
                metric: Statistic.Metric("\(name)_sum", divisor: 1_000_000)
            )
        )
        return all
    }

    private static func name(_ kind: UpstreamQuestion.Forgery) -> String {
        switch kind {
        case .number: "number"
        case .noAnswer: "no_answer"
        case .question: "question"
        case .letterCase: "letter_case"
        }
    }

    private static func counter(
        _ name: String,
        _ value: UInt64,
        _ metric: String,
        _ label: String = "",
        _ labelValue: String = ""
    ) -> Statistic {
        Statistic(
            "dns.\(name)",
            .counter,
            Int(clamping: value),
            metric: Statistic.Metric(metric, label: label, labelValue)
        )
    }

    private static func gauge(
        _ name: String,
        _ value: Int,
        _ metric: String,
        _ label: String = "",
        _ labelValue: String = ""
    ) -> Statistic {
        Statistic("dns.\(name)", .gauge, value, metric: Statistic.Metric(metric, label: label, labelValue))
    }
}
