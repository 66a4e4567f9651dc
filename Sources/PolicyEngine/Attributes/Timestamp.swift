internal import KubernetesAPI

/// A moment with nanoseconds, as `google.protobuf.Timestamp` carries it.
package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970.
    package let seconds: Int64
    /// From 0 up to, not including, one second.
    package let nanoseconds: Int32

    /// `nil` outside of the years 1 to 9999, or if the nanoseconds are a second or more.
    package init?(seconds: Int64, nanoseconds: Int32 = 0) {
        guard (-62_135_596_800...253_402_300_799).contains(seconds), (0..<1_000_000_000).contains(nanoseconds) else {
            return nil
        }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Reads RFC 3339, such as `2015-01-02T15:04:35.5Z`; `nil` for anything else. A leap second is refused.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 64, let seconds = KubernetesTime.seconds(text), bytes[17] < 0x36,
            Self.isDay(text.prefix(10))
        else { return nil }
        var nanoseconds: Int32 = 0
        if bytes[19] == UInt8(ascii: ".") {
            let digits = bytes[20...].prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            for place in 0..<9 {
                let digit = place < digits.count ? Int32(digits[digits.startIndex + place] - 0x30) : 0
                nanoseconds = nanoseconds * 10 + digit
            }
        }
        self.init(seconds: seconds, nanoseconds: nanoseconds)
    }

    /// 2015-02-30 is none.
    private static func isDay(_ date: Substring) -> Bool {
        guard let midnight = KubernetesTime.seconds(date + "T00:00:00Z") else { return false }
        return KubernetesTime.text(seconds: midnight).hasPrefix(date)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// RFC 3339 in UTC, with as many places as needed.
    package var description: String {
        let whole = KubernetesTime.text(seconds: self.seconds)
        guard self.nanoseconds > 0 else { return whole }
        var digits = String(self.nanoseconds)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole.dropLast()).\(digits)Z"
    }
}
