/// Durations as expressions and objects write them: `1.5s`, `20ms`, `1h30m`, `-3s`; 64 bits of nanoseconds (292 years) at most.
package enum DurationText {

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    /// `nil` if the text is no duration. A bare `0` is one, as is any sequence of numbers with units.
    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        guard rest.utf8.count <= 64 else { return nil }
        var isNegative = false
        if let sign = rest.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            rest.removeFirst()
        }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let part = Self.part(&rest) else { return nil }
            let (sum, overflows) = total.addingReportingOverflow(part)
            guard !overflows else { return nil }
            total = sum
        }
        return .nanoseconds(isNegative ? -total : total)
    }

    /// One number with its unit, in nanoseconds.
    private static func part(_ rest: inout Substring) -> Int64? {
        func digits(_ rest: inout Substring) -> Substring {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest[digits.endIndex...]
            return digits
        }
        let whole = digits(&rest)
        var fraction: Substring = ""
        if rest.first == "." {
            rest.removeFirst()
            fraction = digits(&rest)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        let name = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
        guard let unit = Self.units.first(where: { $0.name == name }) else { return nil }
        rest = rest[name.endIndex...]
        guard let count = whole.isEmpty ? 0 : Int64(whole) else { return nil }
        let (product, overflows) = count.multipliedReportingOverflow(by: unit.nanoseconds)
        guard !overflows else { return nil }
        // Below a nanosecond nothing counts; a double is exact enough for what stands behind the point.
        let behind = (Double("0.\(fraction)") ?? 0) * Double(unit.nanoseconds)
        let (sum, sumOverflows) = product.addingReportingOverflow(Int64(behind.rounded()))
        return sumOverflows ? nil : sum
    }

    /// The shortest form with hours, minutes and seconds, or one unit below a second: `1h0m2.5s`, `20ms`, `0s`.
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if duration < .zero { return "-" + Self.text(.zero - duration) }
        let nanoseconds = attoseconds / 1_000_000_000
        if seconds == 0 {
            switch nanoseconds {
            case 0: return "0s"
            case ..<1_000: return "\(nanoseconds)ns"
            case ..<1_000_000: return "\(Self.decimal(nanoseconds, places: 3))µs"
            default: return "\(Self.decimal(nanoseconds, places: 6))ms"
            }
        }
        var text = ""
        if seconds >= 3600 { text += "\(seconds / 3600)h" }
        if seconds >= 60 { text += "\(seconds / 60 % 60)m" }
        return text + "\(Self.decimal(seconds % 60 * 1_000_000_000 + nanoseconds, places: 9))s"
    }

    /// A number of the smallest unit with the point moved, without zeros at its end.
    private static func decimal(_ value: Int64, places: Int) -> String {
        var digits = String(value)
        digits = String(repeating: "0", count: max(0, places + 1 - digits.utf8.count)) + digits
        let whole = digits.dropLast(places)
        var fraction = digits.suffix(places)
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
    }
}
