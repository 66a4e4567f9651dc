package import ProxyRuntime
internal import TrafficEngine

/// Numbers in Prometheus' text format, under the names that Envoy and Istio give them.
package struct PrometheusText {
    /// Samples by metric: Prometheus wants all of one metric together, after its type.
    private var metrics: [String: (type: String, samples: [String])] = [:]

    package static func render(_ statistics: ProxyStatistics, others: [Statistic] = []) -> String {
        var text = PrometheusText()
        for (name, cluster) in statistics.clusters.sorted(by: { $0.key < $1.key }) {
            let label = ("envoy_cluster_name", name)
            for number in cluster.all { text.add("envoy_cluster", number, [label]) }
            text.add(cluster.durations, "envoy_cluster_upstream_rq_time", [label])
            text.addMesh(name, cluster)
        }
        for (name, listener) in statistics.listeners.sorted(by: { $0.key < $1.key }) {
            for number in listener.all { text.add("envoy_listener", number, [("envoy_listener_address", name)]) }
        }
        for (prefix, http) in statistics.http.sorted(by: { $0.key < $1.key }) {
            for number in http.all { text.add("envoy_http", number, [("envoy_http_conn_manager_prefix", prefix)]) }
        }
        for number in statistics.http2.all { text.add("envoy_http2", number, []) }
        for (prefix, tcp) in statistics.tcp.sorted(by: { $0.key < $1.key }) {
            for number in tcp.all { text.add("envoy_tcp", number, [("envoy_tcp_prefix", prefix)]) }
        }
        for (prefix, policies) in statistics.policies.sorted(by: { $0.key < $1.key }) {
            let parts = prefix.split(separator: ".", maxSplits: 1)
            let label = prefix.hasPrefix("http.") ? "envoy_http_conn_manager_prefix" : "envoy_tcp_prefix"
            for var number in policies.all {
                number.name = number.name.split(separator: ".").joined(separator: "_")
                text.add("envoy_\(parts[0])", number, [(label, parts.count > 1 ? String(parts[1]) : "")])
            }
        }
        for number in statistics.mixer?.all ?? [] { text.add("envoy_http_mixer_filter", number, []) }
        for number in statistics.connectionMixer?.all ?? [] { text.add("envoy_tcp_mixer_filter", number, []) }
        for (revision, activation) in statistics.activations.sorted(by: { $0.key < $1.key }) {
            for number in activation.all where number.name != "wait_ms_sum" {
                text.add("lateen_activation", number, [("revision", revision)])
            }
            text.add(activation.durations, "lateen_activation_wait", [("revision", revision)])
        }
        for (key, count) in statistics.blocked.sorted(by: { $0.key.destination < $1.key.destination }) {
            let labels = [
                ("destination", key.destination), ("address", key.address?.description ?? ""),
                ("reason", key.reason.rawValue),
            ]
            text.add(
                key.isAudit ? "lateen_audited_total" : "lateen_blocked_total",
                "counter",
                labels,
                Int(clamping: count)
            )
        }
        text.add("lateen_blocked_others_total", "counter", [], Int(clamping: statistics.blockedOthers))
        text.add("lateen_access_log_dropped_total", "counter", [], Int(clamping: statistics.accessLogLinesDropped))
        for number in others {
            guard let metric = number.metric else {
                text.add("envoy", number, [])
                continue
            }
            let labels = metric.label.isEmpty ? [] : [(metric.label, metric.labelValue)]
            text.add(
                metric.name,
                number.kind == .counter ? "counter" : "gauge",
                labels,
                metric.divisor == 1 ? "\(number.value)" : "\(Double(number.value) / Double(metric.divisor))"
            )
        }
        return text.rendered
    }

    private var rendered: String {
        var text = ""
        for (name, metric) in self.metrics.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(metric.type)\n"
            for sample in metric.samples { text += sample }
        }
        return text
    }

    /// A number under Envoy's name; `upstream_rq_2xx` becomes a label, as there.
    private mutating func add(_ prefix: String, _ number: Statistic, _ labels: [(String, String)]) {
        var name = "\(prefix)_\(number.name)"
        var labels = labels
        if name.hasSuffix("xx"), let digit = name.dropLast(2).last, digit.isNumber {
            name = String(name.dropLast(3)) + "xx"
            labels.insert(("envoy_response_code_class", String(digit)), at: 0)
        }
        self.add(Self.metricName(name), number.kind == .counter ? "counter" : "gauge", labels, number.value)
    }

    private mutating func add(_ histogram: DurationHistogram, _ name: String, _ labels: [(String, String)]) {
        guard histogram.count > 0 else { return }
        var sum = 0
        var samples: [String] = []
        for (index, count) in histogram.counts.enumerated() {
            sum += count
            let isLast = index == DurationHistogram.bounds.count
            let bound = isLast ? "+Inf" : Self.decimal(DurationHistogram.bounds[index])
            samples.append("\(name)_bucket\(Self.text(labels + [("le", bound)])) \(sum)\n")
        }
        samples.append("\(name)_sum\(Self.text(labels)) \(Double(histogram.sumMicroseconds) / 1000)\n")
        samples.append("\(name)_count\(Self.text(labels)) \(sum)\n")
        self.metrics[name, default: ("histogram", [])].samples += samples
    }

    /// Istio's metrics, as far as a cluster's name and counts tell.
    private mutating func addMesh(_ cluster: String, _ statistics: ClusterStatistics) {
        let parts = cluster.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        let isPlain = parts.count == 1
        guard isPlain ? cluster.hasSuffix("Cluster") : parts.count == 4 else { return }
        let service = isPlain ? cluster : parts[3]
        let isInbound = isPlain ? cluster.hasPrefix("Inbound") : parts[0] == "inbound"
        let labels = [
            ("reporter", isInbound ? "destination" : "source"),
            ("destination_service", isPlain ? "unknown" : service),
            ("destination_service_name", service.split(separator: ".").first.map(String.init) ?? service),
            ("destination_port", isPlain ? "" : parts[1]),
            ("destination_version", isPlain ? "" : parts[2]),
        ]
        let counts = statistics.counts
        if counts.requests > 0 {
            let responses = counts.responses
            let classes = [
                ("2xx", responses.successful), ("3xx", responses.redirected), ("4xx", responses.clientError),
                ("5xx", responses.serverError),
            ]
            for (code, count) in classes where count > 0 {
                let all = labels + [("request_protocol", "http"), ("response_code", code)]
                self.add("istio_requests_total", "counter", all, count)
            }
        } else if counts.connections > 0 {
            let all = labels + [("request_protocol", "tcp")]
            self.add("istio_tcp_connections_opened_total", "counter", all, counts.connections)
            let closed = max(0, counts.connections - counts.connectionsActive)
            self.add("istio_tcp_connections_closed_total", "counter", all, closed)
            self.add("istio_tcp_received_bytes_total", "counter", all, counts.bytesSent)
            self.add("istio_tcp_sent_bytes_total", "counter", all, counts.bytesReceived)
        }
    }

    private mutating func add(_ name: String, _ type: String, _ labels: [(String, String)], _ value: Int) {
        self.add(name, type, labels, "\(value)")
    }

    private mutating func add(_ name: String, _ type: String, _ labels: [(String, String)], _ value: String) {
        self.metrics[name, default: (type, [])].samples.append("\(name)\(Self.text(labels)) \(value)\n")
    }

    private static func text(_ labels: [(String, String)]) -> String {
        if labels.isEmpty { return "" }
        let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func metricName(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
    }

    private static func decimal(_ bound: Double) -> String {
        bound == bound.rounded() ? "\(Int(bound))" : "\(bound)"
    }
}
