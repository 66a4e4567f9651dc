package import KubernetesAPI
internal import RequestReports

/// The decisions of a replay for people and for programs.
package enum ReplayReport {
    private static let titles = [
        "TIME", "READY", "STABLE", "PANIC", "MODE", "WANTED", "DESIRED", "SCALE", "EBC", "PATH", "REASON",
    ]

    /// One line per decision, columns aligned; numbers to the right.
    package static func table(_ rows: [ReplayRow], settings: ScalingSettings) -> String {
        let lines = [Self.titles] + rows.map { Self.cells($0, settings) }
        var widths = Array(repeating: 0, count: Self.titles.count)
        for line in lines {
            for (column, cell) in line.enumerated() { widths[column] = max(widths[column], cell.count) }
        }
        let isText: Set<Int> = [4, 9, 10]
        return lines.map { line in
            line.enumerated().map { column, cell in
                if column == line.count - 1 { return cell }
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return isText.contains(column) ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private static func cells(_ row: ReplayRow, _ settings: ScalingSettings) -> [String] {
        let verdict = row.verdict
        let decision = verdict.decision
        return [
            DecimalText.short(row.time) + "s",
            String(row.readyPods),
            decision.map { DecimalText.short($0.stableAverage) } ?? "-",
            decision.map { DecimalText.short($0.panicAverage) } ?? "-",
            decision?.mode.rawValue ?? "-",
            decision.map { String($0.wanted) } ?? "-",
            verdict.step.desired.map(String.init) ?? "-",
            row.replicas.map(String.init) ?? "-",
            decision.map { String($0.excessBurstCapacity) } ?? "-",
            verdict.step.isProxied ? "activator" : "direct",
            (row.isPoked ? "poked: " : "") + verdict.reason(settings),
        ]
    }

    /// One object: the settings as they were understood, and every decision.
    package static func json(_ rows: [ReplayRow], series: ReplaySeries) -> JSONValue {
        [
            "settings": Self.json(series.settings, tick: series.tick),
            "decisions": .array(rows.map { Self.json($0, series.settings) }),
        ]
    }

    private static func json(_ row: ReplayRow, _ settings: ScalingSettings) -> JSONValue {
        let verdict = row.verdict
        var json: JSONValue = [
            "time": .number(row.time),
            "readyPods": JSONValue(row.readyPods),
            "poked": .bool(row.isPoked),
            "phase": .string(verdict.phase.name),
            "path": .string(verdict.step.isProxied ? "activator" : "direct"),
            "desired": verdict.step.desired.map { JSONValue($0) } ?? .null,
            "scale": row.replicas.map { JSONValue($0) } ?? .null,
            "reason": .string(verdict.reason(settings)),
        ]
        let decision = verdict.decision
        json["stableAverage"] = decision.map { .number($0.stableAverage) } ?? .null
        json["panicAverage"] = decision.map { .number($0.panicAverage) } ?? .null
        json["mode"] = decision.map { .string($0.mode.rawValue) } ?? .null
        json["wanted"] = decision.map { JSONValue($0.wanted) } ?? .null
        json["excessBurstCapacity"] = decision.map { JSONValue($0.excessBurstCapacity) } ?? .null
        json["activators"] = decision.map { JSONValue($0.activators) } ?? .null
        return json
    }

    private static func json(_ settings: ScalingSettings, tick: Duration) -> JSONValue {
        let burst: JSONValue =
            switch settings.burstCapacity {
            case .unlimited: -1
            case .requests(let count): .number(count)
            }
        return [
            "metric": .string(settings.metric.rawValue),
            "target": .number(settings.target),
            "capacity": .number(settings.capacity),
            "stableWindowSeconds": .number(settings.stableWindow.inSeconds),
            "panicWindowSeconds": .number(settings.panicWindow.inSeconds),
            "panicThreshold": .number(settings.panicThreshold),
            "targetBurstCapacity": burst,
            "maxScaleUpRate": .number(settings.scaleUpRateMax),
            "maxScaleDownRate": .number(settings.scaleDownRateMax),
            "minScale": JSONValue(settings.minScale),
            "maxScale": JSONValue(settings.maxScale),
            "initialScale": JSONValue(settings.initialScale),
            "activationScale": JSONValue(settings.activationScale),
            "scaleDownDelaySeconds": .number(settings.scaleDownDelay.inSeconds),
            "scaleToZeroGraceSeconds": .number(settings.scaleToZeroGrace.inSeconds),
            "podRetentionSeconds": .number(settings.podRetention.inSeconds),
            "tickSeconds": .number(tick.inSeconds),
        ]
    }
}

extension Activation.Phase {
    /// As the condition `Active` of a PodAutoscaler knows it.
    package var name: String {
        switch self {
        case .activating: "activating"
        case .active: "active"
        case .inactive: "inactive"
        }
    }
}
