/// Walks over a chunked body as the bytes come, checks each of its lines and finds its end (RFC 9112 section 7.1).
///
/// It never copies: it says which bytes are payload and which are framing, and both may be passed on as they are.
package struct ChunkScanner {
    /// The longest chunk line, extension included; and the longest trailer section.
    package static let lineBytesMax = 1024
    package static let trailerBytesMax = 8 * 1024

    private enum State {
        case size(digits: Int)
        case sizeSpace
        case extensionText
        case sizeLF
        case payload
        case payloadCR
        case payloadLF
        case trailerStart
        case trailerName
        case trailerValue
        case trailerLF
        case endLF
        case ended
    }

    private var state = State.size(digits: 0)
    private var remaining = 0
    private var lineCount = 0
    private var trailerCount = 0
    private var trailerName: [UInt8] = []

    private let keepsTrailers: Bool
    /// The lines behind the last chunk, without the empty one.
    package private(set) var trailers: [UInt8] = []

    package init(keepsTrailers: Bool = false) { self.keepsTrailers = keepsTrailers }

    package enum Event: Hashable {
        /// These bytes are payload.
        case payload(Range<Int>)
        case needsMore
        /// The body ended before `offset`.
        case ended
        case failed(HeadFault)
    }

    package var hasEnded: Bool {
        if case .ended = self.state { true } else { false }
    }

    /// The next thing in `bytes` from `offset` on, which is moved behind what was looked at.
    package mutating func next(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> Event {
        while offset < bytes.count {
            if case .payload = self.state {
                let count = min(self.remaining, bytes.count - offset)
                let range = offset..<(offset + count)
                offset += count
                self.remaining -= count
                if self.remaining == 0 { self.state = .payloadCR }
                return .payload(range)
            }
            if case .ended = self.state { return .ended }
            let byte = bytes[offset]
            offset += 1
            if let fault = self.take(byte) { return .failed(fault) }
            if case .ended = self.state { return .ended }
        }
        return .needsMore
    }

    /// Takes one byte of framing.
    private mutating func take(_ byte: UInt8) -> HeadFault? {
        switch self.state {
        case .size(let digits):
            if let value = Bytes.hexDigit(byte) {
                // 15 digits fit an Int; more, even zeros, are refused.
                guard digits < 15 else { return .badChunkSize }
                self.remaining = self.remaining << 4 | Int(value)
                self.state = .size(digits: digits + 1)
                return nil
            }
            guard digits > 0 else { return .badChunkSize }
            return self.takeAfterSize(byte)
        case .sizeSpace: return self.takeAfterSize(byte)
        case .extensionText:
            self.lineCount += 1
            guard self.lineCount <= Self.lineBytesMax else { return .badChunkExtension }
            if byte == Bytes.carriageReturn {
                self.state = .sizeLF
            } else if (byte < 0x20 && byte != Bytes.tab) || byte == 0x7F {
                return .badChunkExtension
            }
            return nil
        case .sizeLF:
            guard byte == Bytes.lineFeed else { return .badChunkSize }
            self.lineCount = 0
            self.state = self.remaining == 0 ? .trailerStart : .payload
            return nil
        case .payload, .ended: return nil
        case .payloadCR:
            guard byte == Bytes.carriageReturn else { return .badChunkEnd }
            self.state = .payloadLF
            return nil
        case .payloadLF:
            guard byte == Bytes.lineFeed else { return .badChunkEnd }
            self.state = .size(digits: 0)
            return nil
        case .trailerStart, .trailerName, .trailerValue, .trailerLF, .endLF: return self.takeTrailer(byte)
        }
    }

    private mutating func takeAfterSize(_ byte: UInt8) -> HeadFault? {
        switch byte {
        case Bytes.carriageReturn: self.state = .sizeLF
        case UInt8(ascii: ";"): self.state = .extensionText
        case Bytes.space, Bytes.tab:
            // RFC 9112 7.1.1 lets a recipient read bad whitespace before `;`, but not before CRLF.
            return .badChunkSize
        default: return .badChunkSize
        }
        return nil
    }

    private mutating func takeTrailer(_ byte: UInt8) -> HeadFault? {
        self.trailerCount += 1
        guard self.trailerCount <= Self.trailerBytesMax else { return .tooLarge }
        switch self.state {
        case .trailerStart where byte == Bytes.carriageReturn: self.state = .endLF
        case .trailerStart:
            guard Bytes.isToken(byte) else { return .badTrailer }
            self.trailerName.removeAll(keepingCapacity: true)
            self.trailerName.append(Bytes.lowered(byte))
            self.state = .trailerName
            if self.keepsTrailers { self.trailers.append(byte) }
            return nil
        case .trailerName:
            if byte == Bytes.colon {
                // Framing and routing cannot come late (RFC 9110 6.5.1).
                if Self.forbidden.contains(self.trailerName) { return .badTrailer }
                self.state = .trailerValue
            } else {
                guard Bytes.isToken(byte) else { return .badTrailer }
                self.trailerName.append(Bytes.lowered(byte))
            }
        case .trailerValue:
            if byte == Bytes.carriageReturn {
                self.state = .trailerLF
            } else if (byte < 0x20 && byte != Bytes.tab) || byte == 0x7F {
                return .badTrailer
            }
        case .trailerLF:
            guard byte == Bytes.lineFeed else { return .badTrailer }
            self.state = .trailerStart
        case .endLF:
            guard byte == Bytes.lineFeed else { return .badTrailer }
            self.state = .ended
        case .size, .sizeSpace, .extensionText, .sizeLF, .payload, .payloadCR, .payloadLF, .ended: ()
        }
        if self.keepsTrailers { self.keep(byte) }
        return nil
    }

    /// The state is that behind the byte: the empty line at the end belongs to the framing.
    private mutating func keep(_ byte: UInt8) {
        switch self.state {
        case .trailerName, .trailerValue, .trailerLF, .trailerStart: self.trailers.append(byte)
        case .endLF, .ended, .size, .sizeSpace, .extensionText, .sizeLF, .payload, .payloadCR, .payloadLF: ()
        }
    }

    private static let forbidden: [[UInt8]] = [
        Array("content-length".utf8), Array("transfer-encoding".utf8), Array("host".utf8), Array("connection".utf8),
        Array("upgrade".utf8), Array("te".utf8), Array("trailer".utf8),
    ]
}
