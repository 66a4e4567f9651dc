/// The parts of a TLS hello that choose a filter chain (RFC 8446 4.1.2), read without taking part in the handshake.
package struct ClientHello: Hashable, Sendable {
    /// In lower case; `nil` if the client sent none, or one that is no host name.
    package var serverName: String?
    package var applicationProtocols: [String] = []

    /// A larger hello is not waited for.
    package static let bytesMax = 64 * 1024

    package enum Parsed: Hashable, Sendable {
        case needsMore
        case hello(ClientHello)
        /// These bytes are no TLS hello.
        case other
        /// A hello that is larger than any that is waited for.
        case tooLarge
    }

    /// Reads a hello, which may span several records.
    package static func parse(_ bytes: UnsafeRawBufferPointer) -> Parsed {
        var message: [UInt8] = []
        var offset = 0
        while true {
            guard offset < bytes.count else { return .needsMore }
            guard bytes[offset] == 22 else { return .other }
            if offset + 1 < bytes.count, bytes[offset + 1] != 3 { return .other }
            guard offset + 5 <= bytes.count else { return .needsMore }
            let count = Int(bytes[offset + 3]) << 8 | Int(bytes[offset + 4])
            // RFC 8446 5.1: no record is empty, none exceeds 2^14 (and a little for old versions).
            guard (1...(1 << 14) + 2048).contains(count) else { return .other }
            let end = min(offset + 5 + count, bytes.count)
            message.append(contentsOf: bytes[(offset + 5)..<end])
            if let first = message.first, first != 1 { return .other }
            if message.count >= 4 {
                let length = Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3])
                guard length <= Self.bytesMax else { return .tooLarge }
                if message.count >= 4 + length {
                    return message.withUnsafeBytes { Self.parseMessage(Reader($0[4..<(4 + length)])) }
                }
            }
            guard end == offset + 5 + count else { return .needsMore }
            offset = end
        }
    }

    private static func parseMessage(_ source: Reader) -> Parsed {
        var reader = source
        guard reader.skip(34), reader.skipVector(lengthBytes: 1), reader.skipVector(lengthBytes: 2),
            reader.skipVector(lengthBytes: 1)
        else { return .other }
        var hello = ClientHello()
        if reader.isEmpty { return .hello(hello) }
        guard var extensions = reader.vector(lengthBytes: 2) else { return .other }
        while !extensions.isEmpty {
            guard let type = extensions.number(bytes: 2), let body = extensions.vector(lengthBytes: 2) else {
                return .other
            }
            switch type {
            case 0: hello.serverName = Self.serverName(body)
            case 16: hello.applicationProtocols = Self.protocols(body)
            default: ()
            }
        }
        return .hello(hello)
    }

    /// RFC 6066 section 3.
    private static func serverName(_ source: Reader) -> String? {
        var reader = source
        guard var names = reader.vector(lengthBytes: 2) else { return nil }
        while !names.isEmpty {
            guard let type = names.number(bytes: 1), let name = names.vector(lengthBytes: 2) else { return nil }
            guard type == 0 else { continue }
            let isValid =
                !name.bytes.isEmpty && name.bytes.count <= 255
                && name.bytes.allSatisfy {
                    Bytes.isToken($0) && $0 != UInt8(ascii: "*")
                }
            return isValid ? String(decoding: name.bytes.map(Bytes.lowered), as: UTF8.self) : nil
        }
        return nil
    }

    /// RFC 7301 section 3.1.
    private static func protocols(_ source: Reader) -> [String] {
        var reader = source
        guard var names = reader.vector(lengthBytes: 2) else { return [] }
        var protocols: [String] = []
        while !names.isEmpty, protocols.count < 32 {
            guard let name = names.vector(lengthBytes: 1) else { return protocols }
            protocols.append(String(decoding: name.bytes, as: UTF8.self))
        }
        return protocols
    }
}

/// Reads numbers and vectors of TLS's presentation language; every read checks its bounds.
private struct Reader {
    private(set) var bytes: Slice<UnsafeRawBufferPointer>

    init(_ bytes: Slice<UnsafeRawBufferPointer>) { self.bytes = bytes }

    var isEmpty: Bool { self.bytes.isEmpty }

    mutating func skip(_ count: Int) -> Bool {
        guard self.bytes.count >= count else { return false }
        self.bytes = self.bytes.dropFirst(count)
        return true
    }

    mutating func number(bytes count: Int) -> Int? {
        guard self.bytes.count >= count else { return nil }
        var value = 0
        for byte in self.bytes.prefix(count) { value = value << 8 | Int(byte) }
        self.bytes = self.bytes.dropFirst(count)
        return value
    }

    mutating func vector(lengthBytes: Int) -> Reader? {
        guard let count = self.number(bytes: lengthBytes), self.bytes.count >= count else { return nil }
        let vector = Reader(self.bytes.prefix(count))
        self.bytes = self.bytes.dropFirst(count)
        return vector
    }

    mutating func skipVector(lengthBytes: Int) -> Bool { self.vector(lengthBytes: lengthBytes) != nil }
}
