package import NIOCore

/// What Redis answers (RESP, version 2).
package enum RedisReply: Sendable, Hashable {
    case text(String)
    case error(String)
    case number(Int64)
    case list([RedisReply])
    case null

    /// Why bytes are no reply. What comes behind them cannot be read either.
    package struct Malformed: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Bytes of a reply; ours are some dozens.
    package static let bytesMax = 65_536
    private static let depthMax = 4

    /// Takes one reply off the front of `buffer`; `nil` if it is not there as a whole yet.
    package static func read(_ buffer: inout ByteBuffer) throws(Malformed) -> RedisReply? {
        var rest = buffer
        guard let reply = try Self.reply(&rest, depth: 0) else {
            guard buffer.readableBytes <= Self.bytesMax else {
                throw Malformed(description: "a reply of more than \(Self.bytesMax) bytes")
            }
            return nil
        }
        buffer = rest
        return reply
    }

    private static func reply(_ buffer: inout ByteBuffer, depth: Int) throws(Malformed) -> RedisReply? {
        guard depth < Self.depthMax else { throw Malformed(description: "lists in lists in lists") }
        guard let line = Self.line(&buffer) else { return nil }
        let rest = String(line.dropFirst())
        switch line.utf8.first {
        case UInt8(ascii: "+"): return .text(rest)
        case UInt8(ascii: "-"): return .error(rest)
        case UInt8(ascii: ":"):
            guard let number = Int64(rest) else { throw Malformed(description: "a number that is none") }
            return .number(number)
        case UInt8(ascii: "$"):
            guard let count = try Self.count(rest) else { return .null }
            guard buffer.readableBytes >= count + 2 else { return nil }
            let text = buffer.readString(length: count)
            guard let text, buffer.readString(length: 2) == "\r\n" else {
                throw Malformed(description: "a text of another length")
            }
            return .text(text)
        case UInt8(ascii: "*"):
            guard let count = try Self.count(rest) else { return .null }
            var list: [RedisReply] = []
            for _ in 0..<count {
                guard let element = try Self.reply(&buffer, depth: depth + 1) else { return nil }
                list.append(element)
            }
            return .list(list)
        default: throw Malformed(description: "a reply of an unknown kind")
        }
    }

    /// A length, `nil` for the -1 of what is absent.
    private static func count(_ text: String) throws(Malformed) -> Int? {
        guard let count = Int(text), (-1...Self.bytesMax).contains(count) else {
            throw Malformed(description: "a length out of bounds")
        }
        return count < 0 ? nil : count
    }

    private static func line(_ buffer: inout ByteBuffer) -> String? {
        let bytes = buffer.readableBytesView
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = buffer.readString(length: end - bytes.startIndex + 1) ?? ""
        // To Swift the two are one character.
        return String(line.dropLast())
    }

    /// A command as its words.
    package static func command(_ words: [String]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeString("*\(words.count)\r\n")
        for word in words { buffer.writeString("$\(word.utf8.count)\r\n\(word)\r\n") }
        return buffer
    }
}
