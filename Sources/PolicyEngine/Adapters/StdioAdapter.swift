internal import KubernetesAPI

/// Writes log entries and metrics to the process's output, one a line.
///
/// - `output_as_json` (default true): else `name key=value …`. `severity_levels`: from the severity of an entry to
///   INFO, WARNING or ERROR; what is not in it is INFO. `metric_level` (default INFO). `output_level` (default INFO):
///   what is below is left out. `log_stream`: STDOUT (default); STDERR is the same here, files are refused, since a
///   container's output is what is collected.
struct StdioAdapter: PolicyHandler {
    static let kind = AdapterKind("stdio", templates: ["logentry", "metric"]) { settings, context in
        if let stream = settings.word("log_stream", Stream.self), stream != .output, stream != .errors {
            settings.complain("log_stream", "files are not written; STDOUT and STDERR are")
        }
        var levels = Self.standardLevels
        for (severity, value) in settings.members("severity_levels") {
            if let level = value.string.flatMap(Level.init) {
                levels[severity] = level
            } else {
                settings.complain("severity_levels.\(severity)", "is none of INFO, WARNING, ERROR")
            }
        }
        return StdioAdapter(
            levels: levels,
            metricLevel: settings.word("metric_level", Level.self) ?? .info,
            outputLevel: settings.word("output_level", Level.self) ?? .info,
            isJSON: settings.truth("output_as_json") ?? true,
            write: context.environment.write
        )
    }

    enum Stream: String, CaseIterable {
        case output = "STDOUT"
        case errors = "STDERR"
        case file = "FILE"
        case rotatedFile = "ROTATED_FILE"
    }

    enum Level: String, CaseIterable, Sendable {
        case info = "INFO"
        case warning = "WARNING"
        case error = "ERROR"

        var rank: Int {
            switch self {
            case .info: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    private static let standardLevels: [String: Level] = {
        var levels: [String: Level] = [:]
        let words: [(Level, [String])] = [
            (.info, ["informational", "info"]), (.warning, ["warning", "warn"]), (.error, ["error", "err", "fatal"]),
        ]
        for (level, names) in words {
            for name in names {
                levels[name] = level
                levels[name.uppercased()] = level
            }
        }
        return levels
    }()

    let levels: [String: Level]
    let metricLevel: Level
    let outputLevel: Level
    let isJSON: Bool
    let write: @Sendable (String) -> Void

    func report(_ instances: [InstanceData]) async throws {
        for instance in instances {
            let isEntry = instance.template == TemplateSchema.logEntry.name
            let level = isEntry ? self.levels[instance.text("severity")] ?? .info : self.metricLevel
            guard level.rank >= self.outputLevel.rank else { continue }
            var fields: [(String, AttributeValue)] = []
            if !isEntry, let value = instance.values["value"] { fields.append(("value", value)) }
            let map = instance.maps[isEntry ? "variables" : "dimensions"] ?? [:]
            fields += map.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            let name = "\(instance.name).\(isEntry ? "logentry" : "metric").\(instance.namespace)"
            self.write(self.line(level, instance.values["timestamp"], name, fields))
        }
    }

    private func line(
        _ level: Level,
        _ time: AttributeValue?,
        _ name: String,
        _ fields: [(String, AttributeValue)]
    ) -> String {
        if self.isJSON {
            var object: JSONValue = ["level": .string(level.rawValue.lowercased()), "instance": .string(name)]
            if let time { object["time"] = .string("\(time)") }
            for (key, value) in fields where object[key] == nil { object[key] = Self.json(value) }
            return object.text()
        }
        let start = [time.map { "\($0)" }, level.rawValue.lowercased(), name].compactMap { $0 }
        return (start + fields.map { "\($0.0)=\($0.1)" }).joined(separator: " ")
    }

    private static func json(_ value: AttributeValue) -> JSONValue {
        switch value {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): .string(text)
        case .int64(let number): .integer(number)
        case .double(let number): number.isFinite ? .number(number) : .string("\(number)")
        case .bool(let truth): .bool(truth)
        case .timestamp, .duration, .ipAddress: .string("\(value)")
        case .stringMap(let entries): JSONValue(entries)
        }
    }
}
