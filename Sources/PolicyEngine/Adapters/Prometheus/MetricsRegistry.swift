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
    /// Bytes of a label's value; what is longer is cut.
    package static let labelBytesMax = 1024
    /// Looking for series that may be forgotten takes a walk over all of them, so not more often than this.
    private static let sweepInterval = Duration.seconds(1)

    /// Who defined a metric last, and so may take it away.
    package struct Claim: Sendable, Hashable {
        fileprivate var name: String
        fileprivate var number: UInt64
    }

    fileprivate struct Series: Sendable {
        var value = 0.0
        var count = 0
        var buckets: [Int] = []
        var touchedAt: Duration = .zero
    }

    private struct Family: Sendable {
        var definition: Definition
        var series: [[String]: Series] = [:]
        var claim: UInt64 = 0
        var sweptAt: Duration?
        /// Series that nobody has touched for so long are forgotten; `nil`: none are.
        var expiry: Duration?
    }

    /// Why something was lost.
    package enum DropReason: String, Sendable {
        /// A metric has as many combinations of labels as it may.
        case series
        /// It came faster than it went out.
        case queue
        /// The other side did not take it.
        case send
        /// It is larger than it may be.
        case size
        /// An expression of its rule or instance has no value for this request.
        case evaluation
        /// Its handler is not there, failed, or has no use for it.
        case handler
        /// It is no number, or less than nothing for a counter.
        case value
    }

    private struct Drop: Hashable {
        var source: String
        var reason: DropReason
    }

    private let drops = Mutex<[Drop: Int]>([:])
    private let families = Mutex<[String: Family]>([:])
    private let claims = Atomic<UInt64>(0)

    package init() {}

    /// Makes a metric known. A metric of another form under the same name starts anew. Who never takes it away has no use
    /// for the claim.
    @discardableResult
    package func define(_ definition: Definition, expiry: Duration? = nil) -> Claim {
        let number = self.claims.add(1, ordering: .relaxed).newValue
        self.families.withLock { families in
            if families[definition.name]?.definition != definition {
                families[definition.name] = Family(definition: definition)
            }
            families[definition.name]?.expiry = expiry
            families[definition.name]?.claim = number
        }
        return Claim(name: definition.name, number: number)
    }

    /// Forgets a metric, unless it was defined again since.
    package func remove(_ claim: Claim) {
        self.families.withLock { families in
            if families[claim.name]?.claim == claim.number { families[claim.name] = nil }
        }
    }

    /// Adds to a counter or distribution, or sets a gauge. Values that none of these can have are counted as lost.
    package func record(_ name: String, _ value: Double, labels: [String], now: Duration) {
        guard value.isFinite else { return self.dropped(from: name, .value) }
        let labels = labels.map(Self.cut)
        self.families.withLock { families in
            guard let kind = families[name]?.definition.kind else { return self.dropped(from: name, .handler) }
            if kind == .counter, value < 0 { return self.dropped(from: name, .value) }
            guard families[name]?.series[labels] != nil || self.makesRoom(&families, name, now: now) else { return }
            families[name]?.series[labels, default: Series()].add(value, kind)
            families[name]?.series[labels]?.touchedAt = now
        }
    }

    private func makesRoom(_ families: inout [String: Family], _ name: String, now: Duration) -> Bool {
        guard let family = families[name], family.series.count >= Self.seriesMax else { return true }
        if let expiry = family.expiry, family.sweptAt.map({ now - $0 >= Self.sweepInterval }) ?? true {
            families[name]?.series = family.series.filter { now - $0.value.touchedAt < expiry }
            families[name]?.sweptAt = now
        }
        if let count = families[name]?.series.count, count < Self.seriesMax { return true }
        self.dropped(from: name, .series)
        return false
    }

    private static func cut(_ label: String) -> String {
        label.utf8.count <= Self.labelBytesMax
            ? label : String(decoding: label.utf8.prefix(Self.labelBytesMax), as: UTF8.self)
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
        let text = families.sorted { $0.key < $1.key }.map { Self.text($0.value) }.joined()
        return text + self.droppedText
    }

    /// Counts what was lost before it came out: `source` is a handler or metric.
    package func dropped(_ count: Int = 1, from source: String, _ reason: DropReason) {
        if count == 0 { return }
        self.drops.withLock { $0[Drop(source: source, reason: reason), default: 0] += count }
    }

    private var droppedText: String {
        let drops = self.drops.withLock { $0 }.sorted {
            ($0.key.source, $0.key.reason.rawValue) < ($1.key.source, $1.key.reason.rawValue)
        }
        if drops.isEmpty { return "" }
        let name = "lateen_policy_dropped_total"
        let lines = drops.map { drop, count in
            "\(name)\(Self.labels([("source", drop.source), ("reason", drop.reason.rawValue)])) \(count)\n"
        }
        return "# HELP \(name) What was reported and lost, by handler or metric.\n# TYPE \(name) counter\n"
            + lines.joined()
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
        case .counter: self.value += value
        case .gauge: self.value = value
        case .distribution(let bounds):
            if self.buckets.isEmpty { self.buckets = Array(repeating: 0, count: bounds.count + 1) }
            self.buckets[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            self.value += value
            self.count += 1
        }
    }
}
