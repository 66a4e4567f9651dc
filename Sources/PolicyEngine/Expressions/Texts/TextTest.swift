#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A comparison of texts by their bytes.
///
/// Swift's own take different spellings of one character for equal; a policy that does is one that can be got around.
enum TextTest: Sendable {
    case prefix([UInt8])
    case suffix([UInt8])
    case whole([UInt8])
    /// Of ASCII only. No other text that Swift takes for equal has as many bytes, so its faster comparison will do.
    case ascii(String, count: Int)

    static func equals(_ text: String) -> TextTest {
        let bytes = Array(text.utf8)
        return bytes.allSatisfy { $0 < 0x80 } ? .ascii(text, count: bytes.count) : .whole(bytes)
    }

    /// Mixer's `match`: `*` at the end or the beginning stands for anything; elsewhere it is a character.
    static func matches(_ pattern: String) -> TextTest {
        if pattern.utf8.last == UInt8(ascii: "*") { return .prefix(Array(pattern.utf8.dropLast())) }
        if pattern.utf8.first == UInt8(ascii: "*") { return .suffix(Array(pattern.utf8.dropFirst())) }
        return .equals(pattern)
    }

    func holds(_ text: String) -> Bool {
        switch self {
        case .ascii(let other, let count): return text.utf8.count == count && text == other
        case .whole(let bytes): return text.utf8.count == bytes.count && Self.compare(text, bytes, from: 0)
        case .prefix(let bytes): return text.utf8.count >= bytes.count && Self.compare(text, bytes, from: 0)
        case .suffix(let bytes):
            let start = text.utf8.count - bytes.count
            return start >= 0 && Self.compare(text, bytes, from: start)
        }
    }

    /// Whether `bytes` stand in `text` at `start`, up to where they fit.
    private static func compare(_ text: String, _ bytes: [UInt8], from start: Int) -> Bool {
        if bytes.isEmpty { return true }
        let result = text.utf8.withContiguousStorageIfAvailable { text in
            bytes.withUnsafeBufferPointer { bytes in
                guard let left = text.baseAddress, let right = bytes.baseAddress else { return false }
                return memcmp(left + start, right, bytes.count) == 0
            }
        }
        return result ?? text.utf8.dropFirst(start).starts(with: bytes)
    }
}
