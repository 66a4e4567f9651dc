package import TrafficEngine

/// Reads a request's head in place, as the bytes come (RFC 9112).
///
/// Call `scan` with all bytes of the message so far, from its first on; after `.complete` the offsets are valid for
/// those bytes. One scanner serves a connection, request after request.
package struct RequestScanner {
    package internal(set) var fields = HeadFields()
    package internal(set) var method = ByteRange(start: 0, count: 0)
    /// Path and query; of an absolute-form target the part behind the authority.
    package internal(set) var target = ByteRange(start: 0, count: 0)
    package internal(set) var authority = ByteRange(start: 0, count: 0)
    package internal(set) var startLineCount = 0
    /// All bytes of the head, the empty line included.
    package internal(set) var headCount = 0
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    package internal(set) var minorVersion: UInt8 = 1
    package internal(set) var isAbsoluteForm = false
    package internal(set) var kind = MethodKind.other
    /// The target was changed after it was received, and ends before its line does.
    package private(set) var isTargetNormalized = false

    /// Methods that change how a message is framed or tried again.
    package enum MethodKind: Sendable, Hashable {
        case get, head, connect, options
        /// PUT, DELETE, TRACE: a second time does no harm (RFC 9110 9.2.2).
        case idempotent
        case other

        var isIdempotent: Bool {
            switch self {
            case .get, .head, .options, .idempotent: true
            case .connect, .other: false
            }
        }
    }

    private let headBytesMax: Int
    private var position = 0
    private var searched = 0

    package init(headBytesMax: Int) { self.headBytesMax = headBytesMax }

    /// Forgets the last message.
    package mutating func reset() {
        self.fields.reset()
        self.position = 0
        self.searched = 0
        self.startLineCount = 0
        self.headCount = 0
        self.isAbsoluteForm = false
        self.isTargetNormalized = false
    }

    /// Normalizes the target's path.
    ///
    /// - Parameter bytes: of which the head was scanned.
    /// - Returns: a copy of them with the new target in the place of the old one, so that all offsets stay right; `nil`:
    ///   there is nothing to normalize.
    mutating func normalizeTarget(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        self.isTargetNormalized = false
        let start = Int(self.target.start)
        let whole = UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(self.target.count)])
        let path = PolicyPath.path(of: whole)
        guard PolicyPath.isSuspicious(path) else { return nil }
        let normalized = PolicyPath.normalized(path)
        guard !path.elementsEqual(normalized) else { return nil }
        var copy = Array(bytes)
        let target = normalized + whole[path.count...]
        copy.replaceSubrange(start..<start + target.count, with: target)
        self.target.count = UInt32(truncatingIfNeeded: target.count)
        self.isTargetNormalized = true
        return copy
    }

    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        let progress = self.scanLines(bytes)
        switch progress {
        case .complete where self.headCount > self.headBytesMax: return .failed(.tooLarge)
        case .needsMore where bytes.count >= self.headBytesMax: return .failed(.tooLarge)
        case .complete: return self.checkHost(bytes)
        case .needsMore, .failed: return progress
        }
    }

    private mutating func scanLines(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        // A line that came in parts is looked at once more only when its end has come, so that a slow sender cannot
        // make us read the same bytes again and again.
        if self.searched > 0 {
            guard bytes[min(self.searched, bytes.count)...].contains(Bytes.lineFeed) else {
                self.searched = bytes.count
                return .needsMore
            }
        }
        if self.startLineCount == 0 {
            switch self.scanStartLine(bytes) {
            case .complete: self.position = self.startLineCount
            case .needsMore:
                self.searched = bytes.count
                return .needsMore
            case .failed(let fault): return .failed(fault)
            }
        }
        let progress = self.fields.scan(bytes, from: &self.position)
        self.searched = progress == .needsMore ? bytes.count : 0
        self.headCount = self.position
        return progress
    }

    private mutating func scanStartLine(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        let count = bytes.count
        var index = 0
        while index < count, Bytes.isToken(bytes[index]) { index += 1 }
        guard index < count else { return .needsMore }
        guard index > 0, bytes[index] == Bytes.space else { return .failed(.badMethod) }
        self.method = ByteRange(start: 0, count: UInt32(truncatingIfNeeded: index))
        let targetStart = index + 1
        index = targetStart
        while index < count, bytes[index] > 0x20, bytes[index] != 0x7F, bytes[index] != UInt8(ascii: "#") { index += 1 }
        guard index < count else { return .needsMore }
        guard index > targetStart, bytes[index] == Bytes.space else {
            return .failed(
                bytes[index] == Bytes.lineFeed || bytes[index] == Bytes.carriageReturn ? .badVersion : .badTarget
            )
        }
        let targetEnd = index
        // `HTTP/1.1` CR LF.
        for offset in 0..<min(10, count - index - 1) {
            let byte = bytes[index + 1 + offset]
            switch offset {
            case 5, 7: guard Bytes.isDigit(byte) else { return .failed(.badVersion) }
            case 8:
                guard byte == Bytes.carriageReturn else {
                    return .failed(byte == Bytes.lineFeed ? .bareLF : .badVersion)
                }
            case 9: guard byte == Bytes.lineFeed else { return .failed(.bareCR) }
            default: guard byte == Self.version[offset] else { return .failed(.badVersion) }
            }
        }
        guard count >= index + 11 else { return .needsMore }
        guard bytes[index + 6] == UInt8(ascii: "1"), bytes[index + 8] <= UInt8(ascii: "1") else {
            return .failed(.versionUnsupported)
        }
        self.minorVersion = bytes[index + 8] - 48
        self.kind = Self.kind(UnsafeRawBufferPointer(rebasing: bytes[..<(targetStart - 1)]))
        if let fault = self.readTarget(bytes, targetStart..<targetEnd) { return .failed(fault) }
        self.startLineCount = index + 11
        return .complete
    }

    private static let version: StaticBytes = "HTTP/0.0"

    static func kind(_ method: UnsafeRawBufferPointer) -> MethodKind {
        // Methods are case-sensitive (RFC 9110 9.1).
        switch method.count {
        case 3 where method.elementsEqual("GET".utf8): .get
        case 3 where method.elementsEqual("PUT".utf8): .idempotent
        case 4 where method.elementsEqual("HEAD".utf8): .head
        case 5 where method.elementsEqual("TRACE".utf8): .idempotent
        case 6 where method.elementsEqual("DELETE".utf8): .idempotent
        case 7 where method.elementsEqual("OPTIONS".utf8): .options
        case 7 where method.elementsEqual("CONNECT".utf8): .connect
        default: .other
        }
    }

    /// Origin-form, `*` for OPTIONS, authority-form for CONNECT, or absolute-form (RFC 9112 3.2).
    private mutating func readTarget(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> HeadFault? {
        func byteRange(_ range: Range<Int>) -> ByteRange {
            ByteRange(
                start: UInt32(truncatingIfNeeded: range.lowerBound),
                count: UInt32(truncatingIfNeeded: range.count)
            )
        }
        self.target = byteRange(range)
        self.isAbsoluteForm = false
        if bytes[range.lowerBound] == UInt8(ascii: "/") { return nil }
        if range.count == 1, bytes[range.lowerBound] == UInt8(ascii: "*") {
            return self.kind == .options ? nil : .badTarget
        }
        if self.kind == .connect { return nil }
        let whole = UnsafeRawBufferPointer(rebasing: bytes[range])
        let schemeCount: Int
        if whole.count > 7, Bytes.equal(UnsafeRawBufferPointer(rebasing: whole[..<7]), "http://") {
            schemeCount = 7
        } else if whole.count > 8, Bytes.equal(UnsafeRawBufferPointer(rebasing: whole[..<8]), "https://") {
            schemeCount = 8
        } else {
            return .badTarget
        }
        var end = range.lowerBound + schemeCount
        while end < range.upperBound, Bytes.isAuthority(bytes[end]) { end += 1 }
        self.authority = byteRange(range.lowerBound + schemeCount..<end)
        self.isAbsoluteForm = true
        if end == range.upperBound {
            // No path is the path `/`; the second slash of the scheme lends its byte.
            self.target = byteRange(range.lowerBound + schemeCount - 1..<range.lowerBound + schemeCount)
            return nil
        }
        guard bytes[end] == UInt8(ascii: "/") else { return .badTarget }
        self.target = byteRange(end..<range.upperBound)
        return nil
    }

    /// One valid `Host` (RFC 9112 3.2); the authority of an absolute-form target goes before it.
    private mutating func checkHost(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        if self.minorVersion == 0, self.fields.hasTransferEncoding { return .failed(.encodingInOldVersion) }
        guard self.fields.hostIndex >= 0 else {
            if self.minorVersion > 0 { return .failed(.missingHost) }
            if self.isAbsoluteForm { return Self.isValidHost(bytes, self.authority) ? .complete : .failed(.badTarget) }
            self.authority = ByteRange(start: 0, count: 0)
            return .complete
        }
        let host = self.fields.fields[self.fields.hostIndex].value
        if !Self.isValidHost(bytes, host) { return .failed(.badHost) }
        if !self.isAbsoluteForm {
            self.authority = host
        } else if !Self.isValidHost(bytes, self.authority) {
            return .failed(.badTarget)
        }
        return .complete
    }

    static func isValidHost(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange) -> Bool {
        let start = Int(range.start)
        let end = start + Int(range.count)
        guard start < end else { return false }
        var nameEnd = end
        if bytes[start] == UInt8(ascii: "[") {
            var index = start + 1
            while index < end, Bytes.hexDigit(bytes[index]) != nil || bytes[index] == Bytes.colon || bytes[index] == 46
            {
                index += 1
            }
            guard index < end, index > start + 2, bytes[index] == UInt8(ascii: "]") else { return false }
            nameEnd = index + 1
        } else {
            var index = start
            while index < end, bytes[index] != Bytes.colon {
                let byte = bytes[index]
                guard Bytes.isAuthority(byte), byte != UInt8(ascii: "["), byte != UInt8(ascii: "]") else {
                    return false
                }
                index += 1
            }
            guard index > start else { return false }
            nameEnd = index
        }
        guard nameEnd < end else { return true }
        guard bytes[nameEnd] == Bytes.colon, end - nameEnd <= 6 else { return false }
        var port = 0
        for index in (nameEnd + 1)..<end {
            guard Bytes.isDigit(bytes[index]) else { return false }
            port = port * 10 + Int(bytes[index] - 48)
        }
        return port <= 65535
    }
}

/// A literal that is indexed by bytes.
struct StaticBytes: ExpressibleByStringLiteral, Sendable {
    private let text: StaticString

    init(stringLiteral text: StaticString) { self.text = text }

    subscript(_ index: Int) -> UInt8 { self.text.utf8Start[index] }
}
