import ProxyRuntime
import Testing

@Suite struct ProtocolInspectorTests {
    /// A hello with the given extensions (type, body), as one handshake message.
    private static func hello(_ extensions: [(Int, [UInt8])]) -> [UInt8] {
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + [0, 2, 0x13, 0x01] + [1, 0]
        let list = extensions.flatMap { type, bytes in
            [UInt8(type >> 8), UInt8(type & 255), UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
        }
        body += [UInt8(list.count >> 8), UInt8(list.count & 255)] + list
        return [1, 0, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    }

    private static func serverName(_ name: String) -> (Int, [UInt8]) {
        let bytes = Array(name.utf8)
        let entry = [0, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
        return (0, [UInt8(entry.count >> 8), UInt8(entry.count & 255)] + entry)
    }

    private static func protocols(_ names: [String]) -> (Int, [UInt8]) {
        let list = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        return (16, [UInt8(list.count >> 8), UInt8(list.count & 255)] + list)
    }

    /// `message` in records of at most `size` bytes.
    private static func records(_ message: [UInt8], size: Int) -> [UInt8] {
        stride(from: 0, to: message.count, by: size).flatMap { start in
            let part = message[start..<min(start + size, message.count)]
            return [22, 3, 1, UInt8(part.count >> 8), UInt8(part.count & 255)] + part
        }
    }

    private static let both = ProtocolInspector(inspectsHTTP: true, inspectsTLS: true)

    @Test("Server name and protocols of a hello are read, however it is cut into records", arguments: [1, 3, 50, 4096])
    func readsHello(_ recordSize: Int) {
        let message = Self.hello([
            // What nobody knows (RFC 8701), and an encrypted hello (RFC 9849), are stepped over.
            (0x0A0A, []), (0xFE0D, [0, 0, 1, 0, 1, 7]), (10, [0, 2, 0, 29]), Self.serverName("Edition.CNN.com"),
            Self.protocols(["h2", "http/1.1"]),
        ])
        let bytes = Self.records(message, size: recordSize)

        for count in 0..<bytes.count {
            #expect(bytes[..<count].withUnsafeBytes { Self.both.inspect($0) } == .needsMore, "after \(count)")
        }
        let found = bytes.withUnsafeBytes { Self.both.inspect($0) }

        let expected = ProtocolInspector.Finding(
            isTLS: true,
            serverName: "edition.cnn.com",
            applicationProtocols: ["h2", "http/1.1"]
        )
        #expect(found == .found(expected))
    }

    @Test("A hello with lengths that lie is no hello, and never read past its end")
    func refusesBrokenHello() {
        let message = Self.hello([Self.serverName("a.test"), Self.protocols(["h2"])])
        for index in 4..<message.count {
            for value in [0, 1, 127, 255] as [UInt8] {
                var broken = message
                broken[index] = value
                // Anything but a trap is right.
                _ = Self.records(broken, size: 4096).withUnsafeBytes { Self.both.inspect($0) }
            }
        }
    }

    @Test("A hello that says it is larger than any real one is refused at once", arguments: [65_537, 0xFF_FFFF])
    func refusesLargeHello(_ count: Int) {
        let head = [1, UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255)]
        let bytes = Self.records(head, size: 4096)
        #expect(bytes.withUnsafeBytes { Self.both.inspect($0) } == .helloTooLarge)
    }

    @Test("A hello of the largest size is waited for, until so many bytes have come")
    func boundsHello() {
        let message: [UInt8] = [1, 1, 0, 0] + [UInt8](repeating: 0, count: 65_000)
        let bytes = Self.records(message, size: 16_384)
        #expect(bytes[..<9].withUnsafeBytes { Self.both.inspect($0) } == .needsMore)
        #expect(bytes.withUnsafeBytes { Self.both.inspect($0) } == .needsMore)
        let more = bytes + Self.records([UInt8](repeating: 0, count: 530), size: 265)
        #expect(more.withUnsafeBytes { Self.both.inspect($0) } == .helloTooLarge)
    }

    @Test(
        "HTTP is known by its request line",
        arguments: [
            ("GET / HTTP/1.1\r\n", ["http/1.1"]), ("\r\nPOST /x HTTP/1.0\r\n", ["http/1.0"]),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["h2c"]), ("SSH-2.0-OpenSSH_9\r\n", []), ("GET / SIP/2.0\r\n", []),
            ("\u{0}\u{0}\u{1}", []), ("*1\r\n$4\r\nPING\r\n", []), ("EHLO mail.test\r\n", []),
        ]
    )
    func recognisesHTTP(_ text: String, _ protocols: [String]) {
        let found = Array(text.utf8).withUnsafeBytes { Self.both.inspect($0) }
        #expect(found == .found(ProtocolInspector.Finding(applicationProtocols: protocols)))
    }

    @Test(
        "Too little to tell is waited for",
        arguments: ["", "G", "GET", "GET ", "GET /", "GET / HTTP", "PRI * HT", "\r"]
    )
    func waits(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { Self.both.inspect($0) } == .needsMore)
    }
}
