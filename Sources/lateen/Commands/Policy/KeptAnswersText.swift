import KubernetesAPI
import PolicyEngine

/// What the event loops of a proxy have kept of the engine's answers, as a table.
enum KeptAnswersText {
    static func text(_ loops: [JSONValue]) -> String {
        var table = TextTable("LOOP", "KEPT", "STATUS", "FOR", "USES", "WHY")
        for (index, loop) in loops.enumerated() {
            let findings = loop["findings"]?.array ?? []
            if findings.isEmpty {
                table.add("\(index)", "miss", "-", "-", "-", "nothing is kept yet: the engine is asked")
            }
            for finding in findings {
                let names = Self.names(finding["references"])
                let why: String
                switch finding["outcome"]?.string {
                case "holds":
                    table.add(
                        "\(index)",
                        "hit",
                        StatusName.of(Int32(clamping: finding["status"]?.int ?? 2)),
                        "\(finding["leftSeconds"]?.double ?? 0)s",
                        finding["usesLeft"]?.int.map { "\($0)" } ?? "any",
                        "the same \(names)"
                    )
                    continue
                case "other":
                    why = "answers are for requests with another \(Self.name(finding["differs"] ?? .null)); by \(names)"
                case "expired": why = "its time is over; by \(names)"
                case let outcome:
                    why = outcome == "unknown" ? "no answer for these values; by \(names)" : outcome ?? "-"
                }
                table.add("\(index)", "miss", "-", "-", "-", why)
            }
            for quota in loop["quotas"]?.array ?? [] {
                let paused = quota["pausedSeconds"]?.double ?? 0
                table.add(
                    "\(index)",
                    "quota",
                    quota["left"]?.int ?? 0 > 0 ? "GRANTED" : paused > 0 ? "USED UP" : "-",
                    "\((paused > 0 ? paused : quota["validSeconds"]?.double) ?? 0)s",
                    "\(quota["left"]?.int ?? 0)",
                    quota["quota"]?.string ?? ""
                )
            }
        }
        return table.text.split(separator: "\n").map { "  \($0)\n" }.joined()
    }

    private static func names(_ references: JSONValue?) -> String {
        let names = (references?.array ?? []).map(Self.name)
        return names.isEmpty ? "nothing: it is for all requests" : names.joined(separator: ", ")
    }

    /// `request.headers["x"]`, `source.principal (missing)`
    private static func name(_ reference: JSONValue) -> String {
        let key = reference["key"]?.string.map { "[\(AttributeValue.quoted($0))]" } ?? ""
        let name = "\(reference["attribute"]?.string ?? "")\(key)"
        switch reference["condition"]?.string {
        case "ABSENCE": return "\(name) (missing)"
        case "REGEX": return "\(name) (like \(reference["regex"]?.string ?? ""))"
        default: return name
        }
    }
}
