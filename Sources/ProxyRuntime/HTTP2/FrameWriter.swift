package import NIOCore

/// Appends frames to a buffer.
package enum FrameWriter {
    /// What clients send first (RFC 9113 section 3.4).
    package static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    /// Settings by number (section 6.5.2).
    package enum Setting: UInt16 {
        case headerTableSize = 1
        case enablePush, concurrentStreamsMax, initialWindow, frameSizeMax, headListBytesMax
        /// RFC 8441.
        case enableConnect = 8
    }

    @inline(__always)
    package static func head(
        _ kind: FrameHead.Kind,
        _ flags: FrameHead.Flags = [],
        stream: UInt32,
        length: Int,
        to out: inout ByteBuffer
    ) {
        out.writeMultipleIntegers(
            UInt32(truncatingIfNeeded: length) << 8 | UInt32(kind.rawValue),
            flags.rawValue,
            stream
        )
    }

    package static func settings(_ settings: [(Setting, UInt32)], to out: inout ByteBuffer) {
        Self.head(.settings, stream: 0, length: settings.count * 6, to: &out)
        for (setting, value) in settings { out.writeMultipleIntegers(setting.rawValue, value) }
    }

    package static func settingsAcknowledged(to out: inout ByteBuffer) {
        Self.head(.settings, .acknowledges, stream: 0, length: 0, to: &out)
    }

    package static func ping(_ payload: UInt64, isAnswer: Bool, to out: inout ByteBuffer) {
        Self.head(.ping, isAnswer ? .acknowledges : [], stream: 0, length: 8, to: &out)
        out.writeInteger(payload)
    }

    package static func reset(_ stream: UInt32, _ code: ErrorCode, to out: inout ByteBuffer) {
        Self.head(.reset, stream: stream, length: 4, to: &out)
        out.writeInteger(code.number)
    }

    package static func goAway(last stream: UInt32, _ code: ErrorCode, to out: inout ByteBuffer) {
        Self.head(.goAway, stream: 0, length: 8, to: &out)
        out.writeMultipleIntegers(stream, code.number)
    }

    package static func windowUpdate(_ stream: UInt32, by count: Int, to out: inout ByteBuffer) {
        Self.head(.windowUpdate, stream: stream, length: 4, to: &out)
        out.writeInteger(UInt32(truncatingIfNeeded: count))
    }

    /// A header block of any length: HEADERS, and CONTINUATION where it does not fit one frame of `lengthMax` bytes.
    ///
    /// `block` appends the compressed block itself; it is written in place, and the length filled in afterwards.
    package static func headers(
        stream: UInt32,
        endsStream: Bool,
        lengthMax: Int,
        to out: inout ByteBuffer,
        _ block: (inout ByteBuffer) -> Void
    ) {
        let start = out.writerIndex
        let flags: FrameHead.Flags = endsStream ? [.endHeaders, .endStream] : .endHeaders
        Self.head(.headers, flags, stream: stream, length: 0, to: &out)
        let blockStart = out.writerIndex
        block(&out)
        let length = out.writerIndex - blockStart
        if length <= lengthMax {
            out.setInteger(UInt32(truncatingIfNeeded: length) << 8 | UInt32(FrameHead.Kind.headers.rawValue), at: start)
            return
        }
        guard var rest = out.getSlice(at: blockStart, length: length) else { return }
        out.moveWriterIndex(to: start)
        var kind = FrameHead.Kind.headers
        var firstFlags: FrameHead.Flags = endsStream ? .endStream : []
        while var part = rest.readSlice(length: min(lengthMax, rest.readableBytes)), part.readableBytes > 0 {
            if rest.readableBytes == 0 { firstFlags.insert(.endHeaders) }
            Self.head(kind, firstFlags, stream: stream, length: part.readableBytes, to: &out)
            out.writeBuffer(&part)
            kind = .continuation
            firstFlags = []
        }
    }
}
