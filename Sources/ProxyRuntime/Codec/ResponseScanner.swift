package import TrafficEngine

/// Reads a response's head in place, as the bytes come; as strict as `RequestScanner`.
package struct ResponseScanner {
    package internal(set) var fields = HeadFields()
    package internal(set) var status = 0
    /// From the status code to the end of the reason phrase.
    package internal(set) var statusText = ByteRange(start: 0, count: 0)
    package internal(set) var startLineCount = 0
    package internal(set) var headCount = 0
    package internal(set) var minorVersion: UInt8 = 1

    private let headBytesMax: Int
    private var position = 0
    private var searched = 0

    package init(headBytesMax: Int = 60 * 1024) { self.headBytesMax = headBytesMax }

    /// Forgets the last message.
    package mutating func reset() {
        self.fields.reset()
        self.position = 0
        self.searched = 0
        self.startLineCount = 0
        self.headCount = 0
    }

    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        if self.searched > 0 {
            guard bytes[min(self.searched, bytes.count)...].contains(Bytes.lineFeed) else {
                self.searched = bytes.count
                return bytes.count >= self.headBytesMax ? .failed(.tooLarge) : .needsMore
            }
        }
        if self.startLineCount == 0 {
            switch self.scanStartLine(bytes) {
            case .complete: self.position = self.startLineCount
            case .needsMore:
                self.searched = bytes.count
                return bytes.count >= self.headBytesMax ? .failed(.tooLarge) : .needsMore
            case .failed(let fault): return .failed(fault)
            }
        }
        let progress = self.fields.scan(bytes, from: &self.position)
        self.searched = progress == .needsMore ? bytes.count : 0
        self.headCount = self.position
        switch progress {
        case .complete where self.headCount > self.headBytesMax: return .failed(.tooLarge)
        case .needsMore where bytes.count >= self.headBytesMax: return .failed(.tooLarge)
        case .complete where self.minorVersion == 0 && self.fields.isChunked: return .failed(.encodingInOldVersion)
        case .complete, .needsMore, .failed: return progress
        }
    }

    /// How the body ends (RFC 9112 section 6.3); the head is complete.
    func framing(answersHead: Bool) -> BodyReader.Framing {
        if answersHead || self.status == 204 || self.status == 304 { return .none }
        if self.fields.isChunked { return .chunked }
        if let length = self.fields.contentLength { return .length(length) }
        return .untilClose
    }

    /// `HTTP/1.1 200 OK`; the reason and even the space before it may be missing (RFC 9112 4).
    private mutating func scanStartLine(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        let count = bytes.count
        for offset in 0..<min(12, count) {
            let byte = bytes[offset]
            switch offset {
            case 5, 7: guard Bytes.isDigit(byte) else { return .failed(.badVersion) }
            case 8: guard byte == Bytes.space else { return .failed(.badVersion) }
            case 9, 10, 11: guard Bytes.isDigit(byte) else { return .failed(.badStatus) }
            default: guard byte == Self.version[offset] else { return .failed(.badVersion) }
            }
        }
        guard count > 12 else { return .needsMore }
        guard bytes[5] == UInt8(ascii: "1"), bytes[7] <= UInt8(ascii: "1") else { return .failed(.versionUnsupported) }
        self.minorVersion = bytes[7] - 48
        self.status = Int(bytes[9] - 48) * 100 + Int(bytes[10] - 48) * 10 + Int(bytes[11] - 48)
        guard (100..<600).contains(self.status) else { return .failed(.badStatus) }
        var index = 12
        guard bytes[12] == Bytes.space || bytes[12] == Bytes.carriageReturn else { return .failed(.badStatus) }
        while index < count, bytes[index] >= 0x20 || bytes[index] == Bytes.tab, bytes[index] != 0x7F { index += 1 }
        guard index + 1 < count else { return .needsMore }
        guard bytes[index] == Bytes.carriageReturn else {
            return .failed(bytes[index] == Bytes.lineFeed ? .bareLF : .badStartLine)
        }
        guard bytes[index + 1] == Bytes.lineFeed else { return .failed(.bareCR) }
        self.statusText = ByteRange(start: 9, count: UInt32(truncatingIfNeeded: index - 9))
        self.startLineCount = index + 2
        return .complete
    }

    private static let version: StaticBytes = "HTTP/0.0"
}
