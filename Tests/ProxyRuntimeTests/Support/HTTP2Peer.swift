import NIOCore
import ProxyRuntime
import Testing

/// One end of a connection of HTTP/2 that a test holds in its hands, frame by frame.
final class HTTP2Peer {
    struct Frame: Equatable {
        var kind: FrameHead.Kind?
        var flags: FrameHead.Flags
        var stream: UInt32
        var payload: [UInt8]

        var text: String { String(decoding: self.payload, as: UTF8.self) }
        /// Of RST_STREAM and, behind the last stream, of GOAWAY.
        var code: UInt32 { self.payload.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } }
        var endsStream: Bool { self.flags.contains(.endStream) }
    }

    let connection: RawConnection
    private var encoder = HPACKEncoder()
    private var decoder = HPACKDecoder()
    private var reader = FrameReader()
    private var consumed = 0

    init(_ connection: RawConnection) { self.connection = connection }

    /// A client that has said hello.
    static func client(_ proxy: TestProxy, settings: [(UInt16, UInt32)] = []) async throws -> HTTP2Peer {
        let peer = HTTP2Peer(try await proxy.connect())
        peer.connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        peer.send(.settings, payload: settings.flatMap { Self.bytes($0.0) + Self.bytes($0.1) })
        return peer
    }

    /// An endpoint that has got a client's hello, and has said its own.
    static func server(_ connection: RawConnection, settings: [(UInt16, UInt32)] = []) async -> HTTP2Peer {
        let peer = HTTP2Peer(connection)
        peer.consumed = 24
        peer.send(.settings, payload: settings.flatMap { Self.bytes($0.0) + Self.bytes($0.1) })
        return peer
    }

    static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    // MARK: Sending

    func send(_ kind: FrameHead.Kind, _ flags: FrameHead.Flags = [], stream: UInt32 = 0, payload: [UInt8] = []) {
        var out = ByteBuffer()
        FrameWriter.head(kind, flags, stream: stream, length: payload.count, to: &out)
        out.writeBytes(payload)
        self.connection.channel.writeAndFlush(out, promise: nil)
    }

    func block(_ fields: [(String, String)]) -> [UInt8] {
        var out = ByteBuffer()
        let room = fields.reduce(64) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
        out.write(bytesMax: room) { writer in
            self.encoder.begin(&writer)
            for (name, value) in fields {
                Array(name.utf8).withUnsafeBytes { name in
                    Array(value.utf8).withUnsafeBytes { self.encoder.put(name, $0, to: &writer) }
                }
            }
        }
        return Array(out.readableBytesView)
    }

    func headers(_ stream: UInt32, _ fields: [(String, String)], ends: Bool = false) {
        self.send(
            .headers,
            ends ? [.endHeaders, .endStream] : .endHeaders,
            stream: stream,
            payload: self.block(fields)
        )
    }

    func request(
        _ stream: UInt32,
        _ path: String = "/",
        method: String = "GET",
        ends: Bool = true,
        _ others: [(String, String)] = []
    ) {
        let pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a.test")]
        self.headers(stream, pseudo + others, ends: ends)
    }

    func data(_ stream: UInt32, _ text: String, ends: Bool = false) {
        self.send(.data, ends ? .endStream : [], stream: stream, payload: Array(text.utf8))
    }

    func reset(_ stream: UInt32, code: UInt32 = 8) {
        self.send(.reset, stream: stream, payload: Self.bytes(code))
    }

    // MARK: Receiving

    /// The next frame, whatever it is; `nil`: the connection has ended.
    func nextFrame() async -> Frame? {
        while true {
            let bytes = self.connection.bytes
            if bytes.count > self.consumed {
                let event = bytes.withUnsafeBytes { self.reader.next($0, at: self.consumed) }
                switch event {
                case .frame(let head, let payload, let count):
                    self.consumed += count
                    return Frame(
                        kind: head.kind,
                        flags: head.flags,
                        stream: head.stream,
                        payload: Array(bytes[payload])
                    )
                case .failed(let code):
                    Issue.record("the proxy sent what it must not: \(code)")
                    return nil
                case .needsMore: ()
                }
            }
            let more = await self.connection.waitForMore(than: bytes.count)
            if more.count == bytes.count { return nil }
        }
    }

    /// The next frame of one of these kinds; others are passed by.
    func next(_ kinds: FrameHead.Kind...) async -> Frame? {
        while let frame = await self.nextFrame() {
            if let kind = frame.kind, kinds.contains(kind) { return frame }
            // Keep the table in step.
            if frame.kind == .headers { _ = self.fields(of: frame) }
        }
        return nil
    }

    func fields(of frame: Frame) -> [String: String] {
        var fields: [String: String] = [:]
        let fault = frame.payload.withUnsafeBytes { block in
            self.decoder.decode(block) { name, value in
                fields[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
            }
        }
        #expect(fault == nil)
        return fields
    }

    /// The next head, and whether the stream ends with it.
    func nextHead() async -> (stream: UInt32, fields: [String: String], ends: Bool) {
        guard let frame = await self.next(.headers) else { return (0, [:], false) }
        return (frame.stream, self.fields(of: frame), frame.endsStream)
    }

    /// The body of `stream` up to its end, and its trailers.
    func nextBody(_ stream: UInt32) async -> (text: String, trailers: [String: String]) {
        var bytes: [UInt8] = []
        while let frame = await self.next(.data, .headers) {
            guard frame.stream == stream else { continue }
            if frame.kind == .headers { return (String(decoding: bytes, as: UTF8.self), self.fields(of: frame)) }
            bytes += frame.payload
            if frame.endsStream { break }
        }
        return (String(decoding: bytes, as: UTF8.self), [:])
    }

    /// The code of the GOAWAY that ends the connection; `nil`: it ended without one.
    func goodbye() async -> UInt32? { await self.next(.goAway)?.code }
}
