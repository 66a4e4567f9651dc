package import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Turns a head in the form of HTTP/1.1, as the proxy writes it, into a header block of HTTP/2.
///
/// The lines are our own or were checked when they came, so they are only cut apart here.
package enum HeadEncoder {
    /// Appends the block of a request.
    package static func request(
        _ head: UnsafeRawBufferPointer,
        isHTTPS: Bool,
        _ encoder: inout HPACKEncoder,
        to out: inout ByteBuffer
    ) {
        guard let lineEnd = Self.index(of: Bytes.carriageReturn, in: head, from: 0),
            let methodEnd = Self.index(of: Bytes.space, in: head, from: 0),
            let targetEnd = Self.index(of: Bytes.space, in: head, from: methodEnd + 1)
        else { return }
        let lines = UnsafeRawBufferPointer(rebasing: head[(lineEnd + 2)...])
        var host = UnsafeRawBufferPointer(start: nil, count: 0)
        Self.forEachLine(lines) { name, value in
            guard name.count == 4, Bytes.equal(name, "host") else { return true }
            host = value
            return false
        }
        let method = UnsafeRawBufferPointer(rebasing: head[..<methodEnd])
        let target = UnsafeRawBufferPointer(rebasing: head[(methodEnd + 1)..<targetEnd])
        let scheme: StaticString = isHTTPS ? "https" : "http"
        Self.write(lines, &encoder, to: &out, room: head.count) { encoder, writer in
            encoder.put(":method", method, to: &writer)
            encoder.put(
                ":scheme",
                UnsafeRawBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount),
                to: &writer
            )
            encoder.put(":path", target, to: &writer)
            if !host.isEmpty { encoder.put(":authority", host, to: &writer) }
        }
    }

    /// Appends the block of a response.
    static func response(
        _ head: UnsafeRawBufferPointer,
        status: Int,
        _ encoder: inout HPACKEncoder,
        to out: inout ByteBuffer
    ) {
        guard let lineEnd = Self.index(of: Bytes.carriageReturn, in: head, from: 0) else { return }
        let lines = UnsafeRawBufferPointer(rebasing: head[(lineEnd + 2)...])
        Self.write(lines, &encoder, to: &out, room: head.count) { encoder, writer in
            withUnsafeBytes(
                of: (
                    UInt8(truncatingIfNeeded: status / 100 % 10 + 48),
                    UInt8(truncatingIfNeeded: status / 10 % 10 + 48),
                    UInt8(truncatingIfNeeded: status % 10 + 48)
                )
            ) { encoder.put(":status", UnsafeRawBufferPointer(rebasing: $0[..<3]), to: &writer) }
        }
    }

    /// Appends the block of trailers, which are lines.
    static func trailers(_ lines: UnsafeRawBufferPointer, _ encoder: inout HPACKEncoder, to out: inout ByteBuffer) {
        Self.write(lines, &encoder, to: &out, room: lines.count) { _, _ in }
    }

    private static func write(
        _ lines: UnsafeRawBufferPointer,
        _ encoder: inout HPACKEncoder,
        to out: inout ByteBuffer,
        room: Int,
        _ pseudo: (inout HPACKEncoder, inout ByteWriter) -> Void
    ) {
        // A line of four bytes, the shortest, may need sixteen more in a block.
        out.write(bytesMax: room * 5 + 160) { writer in
            encoder.begin(&writer)
            pseudo(&encoder, &writer)
            Self.forEachLine(lines) { name, value in
                if !Self.belongsToConnection(name) { encoder.put(name, value, to: &writer) }
                return true
            }
        }
    }

    /// Calls `body` with each line until it answers `false`.
    @inline(__always)
    static func forEachLine(
        _ lines: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) {
        var start = 0
        while start < lines.count, lines[start] != Bytes.carriageReturn {
            guard let colon = Self.index(of: Bytes.colon, in: lines, from: start),
                let end = Self.index(of: Bytes.carriageReturn, in: lines, from: colon)
            else { return }
            var first = colon + 1
            var last = end
            while first < last, lines[first] == Bytes.space || lines[first] == Bytes.tab { first += 1 }
            while last > first, lines[last - 1] == Bytes.space || lines[last - 1] == Bytes.tab { last -= 1 }
            let name = UnsafeRawBufferPointer(rebasing: lines[start..<colon])
            guard body(name, UnsafeRawBufferPointer(rebasing: lines[first..<last])) else { return }
            start = end + 2
        }
    }

    @inline(__always)
    private static func index(of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + start, Int32(byte), bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Lines that HTTP/2 has no room for (RFC 9113 section 8.2.2), and the host, which is `:authority`.
    @inline(__always)
    private static func belongsToConnection(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 4: Bytes.equal(name, "host")
        case 7: Bytes.equal(name, "upgrade")
        case 10: Bytes.equal(name, "connection") || Bytes.equal(name, "keep-alive")
        case 14: Bytes.equal(name, "http2-settings")
        case 16: Bytes.equal(name, "proxy-connection")
        case 17: Bytes.equal(name, "transfer-encoding")
        default: false
        }
    }
}
