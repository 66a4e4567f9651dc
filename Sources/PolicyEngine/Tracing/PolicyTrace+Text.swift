/// A trace as a terminal shows it.
extension PolicyTrace {
    /// Rules, handlers and the answer; with `isDetailed` also what conditions that hold looked at.
    package func text(isDetailed: Bool = false) -> String {
        var lines: [String] = []
        let own = self.namespace.map { $0 == self.rootNamespace ? "" : " and of \($0)" } ?? ""
        lines.append("Rules of \(self.rootNamespace)\(own): \(self.rules.isEmpty ? "none" : "\(self.rules.count)")")
        lines += self.ruleLines(isDetailed)
        let actions = self.rules.flatMap(\.actions)
        if !actions.isEmpty {
            lines.append("")
            lines += Self.actionLines(actions)
        }
        lines.append("")
        lines += self.answerLines
        for name in self.unknown { lines.append("Warning: no attributemanifest defines \(name)") }
        if !self.diagnoses.isEmpty {
            lines.append("Left out of the configuration for their mistakes:")
            lines += self.diagnoses.map { "  \($0)" }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func ruleLines(_ isDetailed: Bool) -> [String] {
        guard !self.rules.isEmpty else { return [] }
        var columns = TraceColumns(["RULE", "MATCH", "CONDITION"])
        for rule in self.rules {
            columns.add([rule.name, rule.outcome.rawValue, rule.condition ?? "(for all requests)"])
            if let mistake = rule.mistake { columns.note("cannot be told: \(mistake)") }
            guard isDetailed || rule.outcome != .holds else { continue }
            for reading in rule.readings {
                columns.note(reading.value.map { "\(reading.name) is \($0)" } ?? "\(reading.name) is missing")
            }
        }
        return columns.lines
    }

    private static func actionLines(_ actions: [Action]) -> [String] {
        var columns = TraceColumns(["HANDLER", "ADAPTER", "INSTANCE", "TEMPLATE", "SAID", "KEPT", "USES", "TOOK"])
        for action in actions {
            let answer = action.answer
            columns.add([
                action.handler, action.adapter.isEmpty ? "-" : action.adapter, action.instance.name,
                action.instance.template, Self.said(action),
                answer.map { Self.seconds($0.validSeconds) } ?? "-", answer.map { Self.uses($0.uses) } ?? "-",
                answer.map { Self.took($0.microseconds) } ?? "-",
            ])
            if let mistake = action.mistake { columns.note("no instance: \(mistake)") }
            for (path, value) in action.instance.values.sorted(by: { $0.key < $1.key }) {
                columns.note("\(path) = \(value)")
            }
            if let message = answer?.status.message, !message.isEmpty { columns.note("said: \(message)") }
            for (name, value) in (answer?.output ?? [:]).sorted(by: { $0.key < $1.key }) {
                columns.note("output \(name) = \(value)")
            }
            if let unasked = action.unasked { columns.note("not asked: \(unasked)") }
            if let left = action.left { columns.note("left: \(left.amount) of \(left.amountMax)") }
        }
        return columns.lines
    }

    private static func said(_ action: Action) -> String {
        if action.mistake != nil { return "(no instance)" }
        if let answer = action.answer { return StatusName.of(answer.status.code) }
        switch action.phase {
        case .check, .attributes: return "(not asked)"
        case .quota: return action.left.map { $0.amount > 0 ? "(would grant)" : "(used up)" } ?? "(not asked)"
        case .report: return "(at the end)"
        }
    }

    private var answerLines: [String] {
        let status = self.result.status
        var lines = [
            "Answer: \(StatusName.of(status.code))\(status.message.isEmpty ? "" : " \(status.message)")",
            "  kept by proxies: \(Self.seconds(self.result.validSeconds)), \(Self.uses(self.result.uses)) uses",
        ]
        let references = self.result.references
        if !references.isEmpty {
            lines.append("  for requests with the same:")
            lines += references.map { "    \($0.name)\($0.value.map { " = \($0)" } ?? " (missing)")" }
        }
        lines += self.result.requestHeaders.map { "  request header:  \($0)" }
        lines += self.result.responseHeaders.map { "  response header: \($0)" }
        if self.result.directStatus != 0 {
            lines.append("  answered with \(self.result.directStatus): \(self.result.directBody)")
        }
        let unasked = self.unaskedHandlers
        if !unasked.isEmpty {
            lines.append("  without the word of \(unasked.joined(separator: ", ")); --ask-adapters asks")
        }
        return lines
    }

    /// `1.5s`; `-` for none.
    static func seconds(_ seconds: Double) -> String {
        if seconds <= 0 { return "0s" }
        let rounded = (seconds * 1000).rounded() / 1000
        return rounded == rounded.rounded() && rounded < 1e15 ? "\(Int64(rounded))s" : "\(rounded)s"
    }

    private static func uses(_ count: Int32) -> String { count < 0 ? "any" : "\(count)" }

    private static func took(_ microseconds: Int64) -> String {
        microseconds < 1000 ? "\(microseconds)µs" : "\(microseconds / 1000).\(microseconds % 1000 / 100)ms"
    }
}

/// Names of the codes of gRPC.
package enum StatusName {
    private static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    package static func of(_ code: Int32) -> String {
        self.names.indices.contains(Int(code)) ? self.names[Int(code)] : "CODE \(code)"
    }
}

/// Rows in columns, each as wide as its widest entry, with notes under them.
private struct TraceColumns {
    private enum Line {
        case row([String])
        case note(String)
    }

    private var content: [Line] = []
    private var widths: [Int] = []

    init(_ titles: [String]) { self.add(titles) }

    mutating func add(_ cells: [String]) {
        if self.widths.isEmpty { self.widths = cells.map { _ in 0 } }
        for (index, cell) in cells.enumerated() { self.widths[index] = max(self.widths[index], cell.count) }
        self.content.append(.row(cells))
    }

    /// Under the row that was added last.
    mutating func note(_ text: String) { self.content.append(.note(text)) }

    var lines: [String] {
        self.content.map { line in
            switch line {
            case .note(let text): return "      \(text)"
            case .row(let cells):
                var text = "  "
                for (cell, width) in zip(cells, self.widths) {
                    text += cell + String(repeating: " ", count: width - cell.count + 2)
                }
                while text.last == " " { text.removeLast() }
                return text
            }
        }
    }
}
