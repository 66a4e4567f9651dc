internal import KubernetesAPI
internal import RequestReports

/// The names that a replay's input knows, as they are compared: lower case, without `-` and `_`.
enum ReplayNames {
    static let time: Set<String> = ["t", "time", "at", "timestamp", "second", "seconds"]

    static let stat: [String: any WritableKeyPath<Stat, Double> & Sendable] = [
        "concurrency": \.averageConcurrentRequests,
        "averageconcurrentrequests": \.averageConcurrentRequests,
        "proxied": \.averageProxiedConcurrentRequests,
        "proxiedconcurrency": \.averageProxiedConcurrentRequests,
        "averageproxiedconcurrentrequests": \.averageProxiedConcurrentRequests,
        "rps": \.requestCount,
        "requestspersecond": \.requestCount,
        "requestcount": \.requestCount,
        "proxiedrps": \.proxiedRequestCount,
        "proxiedrequestcount": \.proxiedRequestCount,
    ]

    static let observation = "t, concurrency, proxied, rps, proxiedRps, perPod, readyPods, reachable, silent"
    static let settings =
        [
            "observations", "annotations", "config", "containerConcurrency", "reachable", "tick", "until", "start",
            "gaps", "podStart",
        ].joined(separator: ", ") + ", an annotation without its prefix, or a key of config-autoscaler"

    static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "-" && $0 != "_" } }
}

extension ReplayReader {
    /// Seconds, a duration, or a time of the clock.
    mutating func time(_ name: String, _ node: ReplayNode) -> Double? {
        guard let text = node.text else {
            self.refuse(node.line, "'\(name)': expected seconds, found \(node.kind)")
            return nil
        }
        let value =
            SettingReader.parseNumber(text) ?? GoDuration.parse(text)?.inSeconds
            ?? KubernetesTime.seconds(text).map(Double.init)
        guard let value, value >= 0, value < 1e11 else {
            self.refuse(
                node.line,
                "'\(name)': expected seconds from 0 up, a duration such as 1m30s or a time such as 2019-09-01T10:00:00Z, found \(node.kind)"
            )
            return nil
        }
        return value
    }

    mutating func seconds(_ name: String, _ node: ReplayNode, in range: ClosedRange<Double>) -> Duration? {
        let value = node.text.flatMap { SettingReader.parseNumber($0) ?? GoDuration.parse($0)?.inSeconds }
        guard let value, range.contains(value) else {
            let limits = "\(SettingReader.text(range.lowerBound)) to \(SettingReader.text(range.upperBound))"
            self.refuse(
                node.line,
                "'\(name)': expected \(limits) seconds, as a number or a duration such as 1m30s, found \(node.kind)"
            )
            return nil
        }
        return .nanoseconds(Int64((value * 1e9).rounded()))
    }

    mutating func number(_ name: String, _ node: ReplayNode) -> Double? {
        guard let value = node.text.flatMap(SettingReader.parseNumber), value >= 0, value < 1e12 else {
            self.refuse(node.line, "'\(name)': expected a number from 0 up, found \(node.kind)")
            return nil
        }
        return value
    }

    mutating func whole(_ name: String, _ node: ReplayNode) -> Int? {
        guard let value = node.text.flatMap(SettingReader.parseNumber).flatMap(Int.init(exactly:)),
            (0...Int(Int32.max)).contains(value)
        else {
            self.refuse(node.line, "'\(name)': expected a whole number from 0 up, found \(node.kind)")
            return nil
        }
        return value
    }

    mutating func truth(_ name: String, _ node: ReplayNode) -> Bool? {
        switch node.text {
        case "true": return true
        case "false": return false
        default:
            self.refuse(node.line, "'\(name)': expected true or false, found \(node.kind)")
            return nil
        }
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String,
        _ node: ReplayNode
    ) -> Choice? {
        if let choice = node.text.flatMap(Choice.init(rawValue:)) { return choice }
        let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        self.refuse(node.line, "'\(name)': expected one of \(choices), found \(node.kind)")
        return nil
    }
}
