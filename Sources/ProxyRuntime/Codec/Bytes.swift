/// Byte classes of RFC 9110 section 5.6.2 and comparisons that need no table in memory.
enum Bytes {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")

    /// Bits of the token characters below 64 and from 64 to 127: `!#$%&'*+-.^_`|~`, digits and letters.
    private static let tokenLow: UInt64 = 0x03FF_6CFA_0000_0000
    private static let tokenHigh: UInt64 = 0x57FF_FFFF_C7FF_FFFE

    /// Whether the byte may stand in a method or a header name.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let bits = byte < 64 ? Self.tokenLow : Self.tokenHigh
        return byte < 128 && bits >> UInt64(byte & 63) & 1 == 1
    }

    /// Whether the byte may stand in an authority: unreserved, sub-delims, `%`, `:`, `[` and `]` (RFC 3986 3.2), but
    /// no `@`, for user information is not allowed in HTTP.
    @inline(__always)
    static func isAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
            UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
            true
        default: false
        }
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

    /// The value of a hexadecimal digit; `nil` for any other byte.
    @inline(__always)
    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

    /// Whether one of eight bytes is below 0x20 or 0x7F. Exact as a yes or no, not as to where.
    @inline(__always)
    static func hasControl(_ word: UInt64) -> Bool {
        let low = (word &- 0x2020_2020_2020_2020) & ~word
        let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let zero = (delete &- 0x0101_0101_0101_0101) & ~delete
        return (low | zero) & 0x8080_8080_8080_8080 != 0
    }

    /// Whether `bytes` equal `name` without regard to ASCII case; `name` is in lower case.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard bytes.count == name.utf8CodeUnitCount else { return false }
        let other = name.utf8Start
        for index in 0..<bytes.count where Self.lowered(bytes[index]) != other[index] { return false }
        return true
    }

    /// Whether `bytes` equal `name` without regard to ASCII case; `name` is in lower case.
    static func equal(_ bytes: UnsafeRawBufferPointer, lowercase name: [UInt8]) -> Bool {
        guard bytes.count == name.count else { return false }
        for index in 0..<bytes.count where Self.lowered(bytes[index]) != name[index] { return false }
        return true
    }

    /// Whether two runs are equal without regard to ASCII case.
    static func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where Self.lowered(left[index]) != Self.lowered(right[index]) { return false }
        return true
    }

    /// Calls `body` with each element of a comma separated list, trimmed, empty ones left out (RFC 9110 5.6.1).
    static func forEachElement(_ list: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        while start <= list.count {
            var end = start
            while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
            var first = start
            var last = end
            while first < last, list[first] == Self.space || list[first] == Self.tab { first += 1 }
            while last > first, list[last - 1] == Self.space || list[last - 1] == Self.tab { last -= 1 }
            if first < last { body(UnsafeRawBufferPointer(rebasing: list[first..<last])) }
            start = end + 1
        }
    }
}
