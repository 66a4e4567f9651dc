internal import Synchronization

/// Counters, gauges and distributions of all handlers, and their page in Prometheus' text format.
package final class MetricsRegistry: Sendable {
    package enum Kind: Sendable, Hashable {
        case counter
        case gauge
        /// With the upper bounds of its buckets, ascending.
        case distribution([Double])
    }

    /// What one metric is called, by the world and by its labels.
    package struct Definition: Sendable, Hashable {
        package var name: String
        package var help: String
        package var kind: Kind
        package var labels: [String]

        package init(name: String, help: String, kind: Kind, labels: [String]) {
            self.name = name
            self.help = help
            self.kind = kind
            self.labels = labels
        }
    }

    /// Label values come from requests, so a metric has no more combinations of them than this.
    package static let seriesMax = 10_000

    fileprivate struct Series: Sendable {
        var value = 0.0
        var count = 0
        var buckets: [Int] = []
        var touchedAt: Duration = .zero
    }

    private struct Family: Sendable {
        var definition: Definition
        var series: [[String]: Series] = [:]
        var dropped = 0
        /// Series that nobody has touched for so long are forgotten; `nil`: none are.
        var expiry: Duration?
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {}

    /// Makes a metric known. A metric of another form under the same name starts anew.
    package func define(_ definition: Definition, expiry: Duration? = nil) {
        self.families.withLock { families in
            if families[definition.name]?.definition != definition {
                families[definition.name] = Family(definition: definition)
            }
            families[definition.name]?.expiry = expiry
        }
    }

    /// Forgets a metric.
    package func remove(_ name: String) { _ = self.families.withLock { $0.removeValue(forKey: name) } }

    /// Adds to a counter or distribution, or sets a gauge. Values that are no number are left out.
    package func record(_ name: String, _ value: Double, labels: [String], now: Duration) {
        guard value.isFinite else { return }
        self.families.withLock { families in
            guard let kind = families[name]?.definition.kind,
                families[name]?.series[labels] != nil || self.makesRoom(&families, name, now: now)
            else { return }
            families[name]?.series[labels, default: Series()].add(value, kind)
            families[name]?.series[labels]?.touchedAt = now
        }
    }

    private func makesRoom(_ families: inout [String: Family], _ name: String, now: Duration) -> Bool {
        guard let family = families[name], family.series.count >= Self.seriesMax else { return true }
        if let expiry = family.expiry {
            families[name]?.series = family.series.filter { now - $0.value.touchedAt < expiry }
        }
        if let count = families[name]?.series.count, count < Self.seriesMax { return true }
        families[name]?.dropped += 1
        return false
    }

    /// The page, with everything in the order of names.
    package func page(now: Duration) -> String {
        let families = self.families.withLock { families in
            for (name, family) in families {
                guard let expiry = family.expiry else { continue }
                families[name]?.series = family.series.filter { now - $0.value.touchedAt < expiry }
            }
            return families
        }
        return families.sorted { $0.key < $1.key }.map { Self.text($0.value) }.joined()
    }

    private static func text(_ family: Family) -> String {
        let definition = family.definition
        let kind =
            switch definition.kind {
            case .counter: "counter"
            case .gauge: "gauge"
            case .distribution: "histogram"
            }
        let help = definition.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        var text = "# HELP \(definition.name) \(help)\n# TYPE \(definition.name) \(kind)\n"
        for (labels, series) in family.series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let pairs = zip(definition.labels, labels).map { ($0.0, $0.1) }
            guard case .distribution(let bounds) = definition.kind else {
                text += "\(definition.name)\(Self.labels(pairs)) \(Self.number(series.value))\n"
                continue
            }
            var sum = 0
            for (index, bound) in (bounds + [.infinity]).enumerated() {
                sum += index < series.buckets.count ? series.buckets[index] : 0
                text += "\(definition.name)_bucket\(Self.labels(pairs + [("le", Self.number(bound))])) \(sum)\n"
            }
            text += "\(definition.name)_sum\(Self.labels(pairs)) \(Self.number(series.value))\n"
            text += "\(definition.name)_count\(Self.labels(pairs)) \(series.count)\n"
        }
        return text
    }

    private static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private static func labels(_ pairs: [(String, String)]) -> String {
        if pairs.isEmpty { return "" }
        let texts = pairs.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }
        return "{\(texts.joined(separator: ","))}"
    }
}

extension MetricsRegistry.Series {
    fileprivate mutating func add(_ value: Double, _ kind: MetricsRegistry.Kind) {
        switch kind {
        case .counter: self.value += max(0, value)
        case .gauge: self.value = value
        case .distribution(let bounds):
            if self.buckets.isEmpty { self.buckets = Array(repeating: 0, count: bounds.count + 1) }
            self.buckets[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            self.value += value
            self.count += 1
        }
    }
}
