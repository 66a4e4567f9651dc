/// Durations as Knative's settings spell them: `90s`, `1m30s`, `1.5h`, `0`.
package enum GoDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    /// Longer ones are refused; none of the settings comes near it.
    private static let nanosecondsMax = 1e9 * 86_400 * 365

    /// `nil` if the text is no duration, or one of more than a year.
    package static func parse(_ text: String) -> Duration? {
        var rest = text[...]
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var nanoseconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            let name = rest.dropFirst(digits.count).prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            guard digits.contains(where: \.isNumber),
                let number = Double(digits.hasPrefix(".") ? "0" + digits : digits + ""),
                let unit = Self.units.first(where: { $0.name == name })
            else { return nil }
            nanoseconds += number * unit.nanoseconds
            guard nanoseconds <= Self.nanosecondsMax else { return nil }
            rest = rest.dropFirst(digits.count + name.count)
        }
        return .nanoseconds(Int64((isNegative ? -nanoseconds : nanoseconds).rounded()))
    }

    /// `1m30s`; hours, minutes and seconds, as short as it goes.
    package static func text(_ duration: Duration) -> String {
        if duration < .zero { return "-" + Self.text(.zero - duration) }
        let (seconds, attoseconds) = duration.components
        guard attoseconds == 0 else {
            let milliseconds = (Double(seconds) * 1000 + Double(attoseconds) / 1e15).rounded()
            return seconds == 0 ? "\(Int(milliseconds))ms" : "\(milliseconds / 1000)s"
        }
        guard seconds > 0 else { return "0s" }
        var text = ""
        if seconds >= 3600 { text += "\(seconds / 3600)h" }
        if seconds % 3600 >= 60 { text += "\(seconds % 3600 / 60)m" }
        if seconds % 60 > 0 { text += "\(seconds % 60)s" }
        return text
    }
}

extension Duration {
    /// In seconds, with their fraction.
    package var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
    }

    package var isWholeSeconds: Bool { self.components.attoseconds == 0 }

    /// To the nearest second, halves up.
    package var roundedToSeconds: Duration { .seconds(Int64(self.inSeconds.rounded())) }
}
