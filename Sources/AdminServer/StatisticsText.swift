package import ProxyRuntime
internal import TrafficEngine

/// Numbers as Envoy's `/stats` prints them: `name: value`, sorted.
package enum StatisticsText {
    /// All numbers with their full names.
    package static func flat(_ statistics: ProxyStatistics, others: [Statistic] = []) -> [Statistic] {
        var all = others
        func add(_ prefix: String, _ numbers: [Statistic]) {
            all += numbers.map { Statistic("\(prefix).\($0.name)", $0.kind, $0.value) }
        }
        for (name, cluster) in statistics.clusters { add("cluster.\(name)", cluster.all) }
        for (name, listener) in statistics.listeners { add("listener.\(name)", listener.all) }
        for (prefix, http) in statistics.http { add("http.\(prefix)", http.all) }
        add("http2", statistics.http2.all)
        for (prefix, tcp) in statistics.tcp { add("tcp.\(prefix)", tcp.all) }
        for (prefix, policies) in statistics.policies { add(prefix, policies.all) }
        if let mixer = statistics.mixer { add("http_mixer_filter", mixer.all) }
        if let mixer = statistics.connectionMixer { add("tcp_mixer_filter", mixer.all) }
        for (revision, activation) in statistics.activations { add("activation.\(revision)", activation.all) }
        for (key, count) in statistics.blocked {
            let prefix = key.isAudit ? "audited" : "blocked"
            let name = "\(prefix).\(key.destination).\(key.reason.rawValue)"
            all.append(Statistic(name, .counter, Int(clamping: count)))
        }
        if statistics.blockedOthers > 0 {
            all.append(Statistic("blocked.others", .counter, Int(clamping: statistics.blockedOthers)))
        }
        all.append(Statistic("access_log.lines_dropped", .counter, Int(clamping: statistics.accessLogLinesDropped)))
        return all.sorted { $0.name < $1.name }
    }

    package static func plain(_ numbers: [Statistic]) -> String {
        var text = ""
        for number in numbers { text += "\(number.name): \(number.value)\n" }
        return text
    }

    package static func json(_ numbers: [Statistic]) -> String {
        let entries = numbers.map { "{\"name\":\(JSONText.string($0.name)),\"value\":\($0.value)}" }
        return "{\"stats\":[\(entries.joined(separator: ","))]}\n"
    }
}

extension BlockedKey {
    /// The name where one is known, else the address.
    var destination: String {
        if !self.name.isEmpty { return self.name }
        return self.address?.description ?? "unknown"
    }
}
