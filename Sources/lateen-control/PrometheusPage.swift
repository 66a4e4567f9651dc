import MeshModel
import MeshPush

/// The push server's counters in Prometheus' text format; names are those that dashboards of Istio ask for.
struct PrometheusPage {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let statistics: PushStatistics
    private let revision: UInt64

    init(_ push: PushServer) {
        self.statistics = push.statistics
        self.revision = push.snapshot.revision
    }

    var text: String {
        var lines: [String] = []
        lines += Self.metric("pilot_xds", "gauge", "Proxies connected.", [("", "\(self.statistics.proxiesConnected)")])
        lines += Self.metric(
            "pilot_xds_pushes",
            "counter",
            "Responses sent to proxies.",
            ResourceKind.allCases.map { (Self.type($0), "\(self.statistics.pushes[$0] ?? 0)") }
        )
        lines += Self.metric(
            "pilot_total_xds_rejects",
            "counter",
            "Responses that proxies refused.",
            ResourceKind.allCases.map { (Self.type($0), "\(self.statistics.refusals[$0] ?? 0)") }
        )
        lines += Self.metric(
            "pilot_push_generations",
            "counter",
            "Generations of configuration that were published.",
            [("", "\(self.statistics.generations)")]
        )
        lines += Self.metric(
            "lateen_control_snapshot_revision",
            "gauge",
            "Revision of the newest snapshot.",
            [("", "\(self.revision)")]
        )
        lines += self.convergence
        return lines.joined(separator: "\n") + "\n"
    }

    /// From the publication of a change to a proxy's acceptance.
    private var convergence: [String] {
        let name = "pilot_proxy_convergence_time"
        var total: UInt64 = 0
        var lines = [
            "# HELP \(name) Seconds from the publication of a change to its acceptance by a proxy.",
            "# TYPE \(name) histogram",
        ]
        for (bound, count) in zip(PushStatistics.convergenceBounds, self.statistics.convergenceCounts) {
            total += count
            lines.append("\(name)_bucket{le=\"\(bound)\"} \(total)")
        }
        total += self.statistics.convergenceCounts.last ?? 0
        lines.append("\(name)_bucket{le=\"+Inf\"} \(total)")
        lines.append("\(name)_sum \(self.statistics.convergenceSeconds)")
        lines.append("\(name)_count \(total)")
        return lines
    }

    private static func type(_ kind: ResourceKind) -> String { "{type=\"\(kind.rawValue.lowercased())\"}" }

    static func metric(
        _ name: String,
        _ type: String,
        _ help: String,
        _ samples: [(labels: String, value: String)]
    ) -> [String] {
        ["# HELP \(name) \(help)", "# TYPE \(name) \(type)"] + samples.map { "\(name)\($0.labels) \($0.value)" }
    }
}
