internal import Foundation

/// Durations as people write them in Istio objects: `5m`, `1h30m`, `300ms`.
///
/// proto3 JSON knows seconds only (`300s`), but Istio reads Go's notation, and its own documentation uses it. So
/// before a message is decoded, its durations are rewritten; which fields those are comes from the protos.
package enum DurationFields {
    /// What a field leads to.
    enum Lead: Sendable {
        /// A duration, or a list of them.
        case duration
        /// A message, or a list of them, that has durations somewhere.
        case message(String)
        /// A map with such messages as values.
        case map(String)
    }

    /// Rewrites the durations of a message's JSON; anything unexpected is left for the decoder to complain about.
    static func normalized(_ value: Any, of message: String) -> Any {
        guard let leads = self.table[message], var object = value as? [String: Any] else { return value }
        for (key, inner) in object {
            switch leads[key] {
            case .duration: object[key] = self.each(inner) { ($0 as? String).flatMap(self.seconds(of:)) ?? $0 }
            case .message(let name): object[key] = self.each(inner) { self.normalized($0, of: name) }
            case .map(let name):
                object[key] = (inner as? [String: Any])?.mapValues { self.normalized($0, of: name) } ?? inner
            case nil: ()
            }
        }
        return object
    }

    /// Go's notation in proto3's: `1h30m` is `5400s`. Nil if it is neither.
    package static func seconds(of text: String) -> String? {
        var rest = Substring(text)
        var sign = ""
        if let first = rest.first, first == "-" || first == "+" {
            sign = first == "-" ? "-" : ""
            rest.removeFirst()
        }
        guard !rest.isEmpty else { return nil }
        var total = Decimal(0)
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            // `Decimal` stops reading at a second point instead of refusing it.
            guard number.count <= 32, number.count(where: { $0 == "." }) <= 1,
                let amount = Decimal(string: String(number)),
                let factor = self.units[String(unit)]
            else { return nil }
            total += amount * factor
        }
        var nanoseconds = Decimal()
        var exact = total
        NSDecimalRound(&nanoseconds, &exact, 9, .plain)
        return sign + nanoseconds.description + "s"
    }

    private static func each(_ value: Any, _ change: (Any) -> Any) -> Any {
        (value as? [Any])?.map(change) ?? change(value)
    }

    /// Units of Go's `time.ParseDuration`, in seconds.
    private static let units: [String: Decimal] = [
        "ns": Decimal(sign: .plus, exponent: -9, significand: 1),
        "us": Decimal(sign: .plus, exponent: -6, significand: 1),
        "µs": Decimal(sign: .plus, exponent: -6, significand: 1),
        "μs": Decimal(sign: .plus, exponent: -6, significand: 1),
        "ms": Decimal(sign: .plus, exponent: -3, significand: 1),
        "s": 1,
        "m": 60,
        "h": 3600,
    ]
}
