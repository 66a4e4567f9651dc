/// Finds where a message's body ends (RFC 9112 section 6.3).
package struct BodyReader {
    package enum Framing: Hashable, Sendable {
        case none
        case length(Int)
        case chunked
        /// Until the sender closes; responses only.
        case untilClose
    }

    package let framing: Framing
    private var remaining: Int
    private var chunks: ChunkScanner

    /// - Parameters:
    ///   - framing: what the head said.
    ///   - keepsTrailers: keep the lines that come behind the last chunk.
    package init(_ framing: Framing, keepsTrailers: Bool = false) {
        self.framing = framing
        self.chunks = ChunkScanner(keepsTrailers: keepsTrailers)
        if case .length(let length) = framing { self.remaining = length } else { self.remaining = 0 }
    }

    /// Lines that came behind the last chunk, if they are kept; whole once the body has ended.
    package var trailers: [UInt8] { self.chunks.trailers }

    /// What became of some bytes.
    package struct Step: Hashable {
        /// So many bytes belong to this body, are valid, and may be passed on.
        package var count: Int
        package var hasEnded: Bool
        package var fault: HeadFault?
    }

    package var hasEnded: Bool {
        switch self.framing {
        case .none: true
        case .length: self.remaining == 0
        case .chunked: self.chunks.hasEnded
        case .untilClose: false
        }
    }

    /// Takes the body's part of `bytes`.
    package mutating func take(_ bytes: UnsafeRawBufferPointer) -> Step {
        switch self.framing {
        case .none: return Step(count: 0, hasEnded: true, fault: nil)
        case .length:
            let count = min(self.remaining, bytes.count)
            self.remaining -= count
            return Step(count: count, hasEnded: self.remaining == 0, fault: nil)
        case .untilClose: return Step(count: bytes.count, hasEnded: false, fault: nil)
        case .chunked:
            var offset = 0
            while true {
                switch self.chunks.next(bytes, &offset) {
                case .payload: ()
                case .needsMore: return Step(count: offset, hasEnded: false, fault: nil)
                case .ended: return Step(count: offset, hasEnded: true, fault: nil)
                case .failed(let fault): return Step(count: max(0, offset - 1), hasEnded: false, fault: fault)
                }
            }
        }
    }

    /// Like `take`, for a receiver that knows no chunks: calls `payload` with each run of the body proper.
    package mutating func takePayload(_ bytes: UnsafeRawBufferPointer, _ payload: (Range<Int>) -> Void) -> Step {
        guard case .chunked = self.framing else {
            let step = self.take(bytes)
            if step.count > 0 { payload(0..<step.count) }
            return step
        }
        var offset = 0
        while true {
            switch self.chunks.next(bytes, &offset) {
            case .payload(let range): payload(range)
            case .needsMore: return Step(count: offset, hasEnded: false, fault: nil)
            case .ended: return Step(count: offset, hasEnded: true, fault: nil)
            case .failed(let fault): return Step(count: max(0, offset - 1), hasEnded: false, fault: fault)
            }
        }
    }
}
