/// A frame's nine bytes (RFC 9113 section 4.1).
package struct FrameHead: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable {
        case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let endStream = Flags(rawValue: 0x1)
        /// Of SETTINGS and PING.
        package static let acknowledges = Flags(rawValue: 0x1)
        package static let endHeaders = Flags(rawValue: 0x4)
        package static let padded = Flags(rawValue: 0x8)
        package static let priority = Flags(rawValue: 0x20)
    }

    /// Of the payload, padding included.
    package var length: Int
    /// `nil`: a type that is not known and has to be ignored.
    package var kind: Kind?
    package var flags: Flags
    package var stream: UInt32

    package static let byteCount = 9
    package static let streamMax: UInt32 = 0x7FFF_FFFF
}

/// Cuts received bytes into frames and refuses those that are malformed by themselves (RFC 9113 sections 4 and 6).
///
/// What a frame means to a stream is not its business; that header blocks come in one run is.
package struct FrameReader {
    /// What we let a peer send: the initial SETTINGS_MAX_FRAME_SIZE, which we never raise.
    package static let lengthMax = 16_384

    /// The stream whose header block is not complete.
    package private(set) var openBlock: UInt32?

    package init() {}

    package enum Event: Hashable {
        case needsMore
        /// `payload` is what the frame says without its padding; the frame takes `count` bytes from `offset` on.
        case frame(FrameHead, payload: Range<Int>, count: Int)
        case failed(ErrorCode)
    }

    /// The frame that begins at `offset`.
    package mutating func next(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> Event {
        guard bytes.count &- offset >= FrameHead.byteCount else { return .needsMore }
        let first = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        let length = Int(first >> 8)
        // Before its bytes are waited for: a giant frame must not be held.
        guard length <= Self.lengthMax else { return .failed(.frameSize) }
        let stream = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset &+ 5, as: UInt32.self))
        let head = FrameHead(
            length: length,
            kind: FrameHead.Kind(rawValue: UInt8(truncatingIfNeeded: first)),
            flags: FrameHead.Flags(rawValue: bytes[offset &+ 4]),
            stream: stream & FrameHead.streamMax
        )
        if let fault = self.check(head) { return .failed(fault) }
        guard bytes.count &- offset >= FrameHead.byteCount &+ length else { return .needsMore }
        let start = offset &+ FrameHead.byteCount
        guard let payload = Self.payload(head, bytes, start..<(start &+ length)) else { return .failed(.protocol) }
        switch head.kind {
        case .headers, .continuation: self.openBlock = head.flags.contains(.endHeaders) ? nil : head.stream
        case .data, .priority, .reset, .settings, .pushPromise, .ping, .goAway, .windowUpdate, nil: ()
        }
        return .frame(head, payload: payload, count: FrameHead.byteCount &+ length)
    }

    private func check(_ head: FrameHead) -> ErrorCode? {
        // Section 6.10: nothing may come between the parts of a header block.
        if let open = self.openBlock, head.kind != .continuation || head.stream != open { return .protocol }
        switch head.kind {
        case .data, .headers: return head.stream == 0 ? .protocol : nil
        case .priority:
            if head.stream == 0 { return .protocol }
            return head.length == 5 ? nil : .frameSize
        case .reset:
            if head.stream == 0 { return .protocol }
            return head.length == 4 ? nil : .frameSize
        case .settings:
            if head.stream != 0 { return .protocol }
            if head.flags.contains(.acknowledges) { return head.length == 0 ? nil : .frameSize }
            return head.length % 6 == 0 ? nil : .frameSize
        // We are no client that takes pushes, and a server cannot be sent one (sections 6.6, 8.4).
        case .pushPromise: return .protocol
        case .ping:
            if head.stream != 0 { return .protocol }
            return head.length == 8 ? nil : .frameSize
        case .goAway:
            if head.stream != 0 { return .protocol }
            return head.length >= 8 ? nil : .frameSize
        case .windowUpdate: return head.length == 4 ? nil : .frameSize
        case .continuation: return self.openBlock == nil ? .protocol : nil
        case nil: return nil
        }
    }

    /// The payload without padding and, of HEADERS, without the priority that nobody uses any more; `nil`: they do not
    /// fit.
    private static func payload(
        _ head: FrameHead,
        _ bytes: UnsafeRawBufferPointer,
        _ whole: Range<Int>
    ) -> Range<Int>? {
        guard head.kind == .data || head.kind == .headers else { return whole }
        var start = whole.lowerBound
        var end = whole.upperBound
        if head.flags.contains(.padded) {
            guard start < end else { return nil }
            end -= Int(bytes[start])
            start += 1
        }
        if head.kind == .headers, head.flags.contains(.priority) { start += 5 }
        return start <= end ? start..<end : nil
    }
}
