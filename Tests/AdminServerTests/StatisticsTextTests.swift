import AdminServer
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct StatisticsTextTests {
    private func statistics() -> ProxyStatistics {
        var statistics = ProxyStatistics()
        var cluster = ClusterStatistics()
        cluster.counts.connections = 1
        cluster.endpoints = [
            EndpointStatistics(
                address: NetworkAddress(ip: .v4(0x9765_4143), port: 443),
                weight: 1,
                isHealthy: true
            )
        ]
        statistics.clusters["outbound|443||edition.cnn.com"] = cluster
        statistics.listeners["virtualOutbound"] = ListenerStatistics()
        let key = BlockedKey(
            name: "mysqldb.outside.test",
            address: NetworkAddress(ip: .v4(0x0ad7_000a), port: 3306),
            reason: .blockedAddress
        )
        statistics.blocked[key] = 3
        return statistics
    }

    @Test("Counters are printed as `name: value`, sorted, under Envoy's names")
    func plain() {
        let lines = StatisticsText.plain(StatisticsText.flat(self.statistics())).split(separator: "\n")

        #expect(lines.contains("cluster.outbound|443||edition.cnn.com.upstream_cx_total: 1"))
        #expect(lines.contains("blocked.mysqldb.outside.test.blocked_unknown_address: 3"))
        let names = lines.compactMap { $0.split(separator: " ").first }
        #expect(names == names.sorted())
    }

    @Test("Prometheus gets one type line for each metric and labels with the configured names")
    func prometheus() {
        let text = PrometheusText.render(self.statistics())
        let lines = text.split(separator: "\n").map(String.init)

        #expect(
            lines.contains(#"envoy_cluster_upstream_cx_total{envoy_cluster_name="outbound|443||edition.cnn.com"} 1"#)
        )
        #expect(
            lines.contains(
                #"lateen_blocked_total{destination="mysqldb.outside.test",address="10.215.0.10:3306","#
                    + #"reason="blocked_unknown_address"} 3"#
            )
        )
        #expect(lines.contains { $0.hasPrefix("envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"5\"") })
        let types = lines.filter { $0.hasPrefix("# TYPE ") }
        #expect(Set(types).count == types.count)
    }

    @Test("What is counted in small units is shown to Prometheus in those that it wants")
    func divisor() {
        let sum = Statistic(
            "dns.time_us",
            .counter,
            1_500_000,
            metric: Statistic.Metric("dns_seconds_sum", divisor: 1_000_000)
        )

        let text = PrometheusText.render(ProxyStatistics(), others: [sum])

        #expect(text.contains("\ndns_seconds_sum 1.5\n"))
    }

    @Test("A number may have a name and a label of its own for Prometheus")
    func metric() {
        let numbers = ["local", "hit"].map {
            Statistic("dns.\($0)", .counter, 7, metric: Statistic.Metric("dns_answers_total", label: "outcome", $0))
        }
        let others = numbers + [Statistic("dns.all", .gauge, 9, metric: Statistic.Metric("dns_all"))]

        let text = PrometheusText.render(ProxyStatistics(), others: others)

        #expect(
            text.contains(
                """
                # TYPE dns_all gauge
                dns_all 9
                # TYPE dns_answers_total counter
                dns_answers_total{outcome="local"} 7
                dns_answers_total{outcome="hit"} 7

                """
            )
        )
        #expect(StatisticsText.plain(others).contains("dns.local: 7\n"))
    }

    @Test("Endpoints are printed with their counts and health")
    func clusters() {
        let text = ClustersText.plain(self.statistics().clusters)

        #expect(text.contains("outbound|443||edition.cnn.com::151.101.65.67:443::cx_total::0\n"))
        #expect(text.contains("outbound|443||edition.cnn.com::151.101.65.67:443::health_flags::healthy\n"))
    }
}
