internal import TrafficEngine

/// Lays a head that HTTP/2 brings out as HTTP/1.1 would write it, so that routes, edits, logs and the writing side see
/// one form only; checks it on the way (RFC 9113 section 8).
///
/// One per loop: a header block is taken apart in one go. All of a block is looked at even if its first field is wrong,
/// for the decoder's table must stay what the peer thinks it is.
package final class HeadAssembler {
    package enum Purpose: Hashable, Sendable { case request, response, trailers }

    package enum Fault: Hashable, Sendable {
        /// Malformed (section 8.1.1): the stream is reset.
        case malformed
        /// 431.
        case tooLarge
    }

    package private(set) var fields = HeadFields()
    package private(set) var fault: Fault?
    package private(set) var status = 0
    private(set) var method = ByteRange(start: 0, count: 0)
    private(set) var target = ByteRange(start: 0, count: 0)
    private(set) var authority = ByteRange(start: 0, count: 0)
    private(set) var statusText = ByteRange(start: 0, count: 0)
    private(set) var startLineCount = 0
    private(set) var kind = RequestScanner.MethodKind.other
    package private(set) var isHTTPS = false
    private var purpose = Purpose.request
    private var bytesMax = 0
    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 8)
    private var count = 0
    private var startsFields = false
    // Pseudo-header fields, until the start line is written.
    private var pseudo = (
        method: [UInt8](), path: [UInt8](), authority: [UInt8](), scheme: [UInt8](), status: [UInt8]()
    )
    private var seen: Set<Pseudo> = []
    /// Crumbs of one cookie (section 8.2.3).
    private var cookie: [UInt8] = []

    private enum Pseudo { case method, path, authority, scheme, status }

    package init() {}

    deinit { self.memory.deallocate() }

    /// The head so far, or trailers as lines.
    package var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.memory[..<self.count]) }

    package func begin(_ purpose: Purpose, bytesMax: Int) {
        self.purpose = purpose
        self.bytesMax = bytesMax
        self.count = 0
        self.fault = nil
        self.status = 0
        self.startsFields = false
        self.startLineCount = 0
        self.isHTTPS = false
        self.fields.reset()
        self.seen.removeAll(keepingCapacity: true)
        self.cookie.removeAll(keepingCapacity: true)
        self.authority = ByteRange(start: 0, count: 0)
    }

    /// Gives the request's head to a scanner, as if it had read it.
    func fill(_ scanner: inout RequestScanner) {
        swap(&scanner.fields, &self.fields)
        scanner.method = self.method
        scanner.target = self.target
        scanner.authority = self.authority
        scanner.startLineCount = self.startLineCount
        scanner.headCount = self.count
        scanner.minorVersion = 1
        scanner.isAbsoluteForm = false
        scanner.kind = self.kind
    }

    func fill(_ scanner: inout ResponseScanner) {
        swap(&scanner.fields, &self.fields)
        scanner.status = self.status
        scanner.statusText = self.statusText
        scanner.startLineCount = self.startLineCount
        scanner.headCount = self.count
        scanner.minorVersion = 1
    }

    // MARK: Fields

    package func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard self.fault == nil else { return }
        guard self.count + name.count + value.count + 64 <= self.bytesMax else {
            self.fault = .tooLarge
            return
        }
        guard Self.isValid(value: value) else {
            self.fault = .malformed
            return
        }
        if name.first == Bytes.colon {
            // Section 8.3: before all others, and never in trailers.
            guard !self.startsFields, self.purpose != .trailers, self.takePseudo(name, value) else {
                self.fault = .malformed
                return
            }
            return
        }
        guard Self.isValid(name: name), !Self.isForbidden(name, value) else {
            self.fault = .malformed
            return
        }
        if !self.startsFields {
            self.startsFields = true
            guard self.writeStartLine() else {
                self.fault = self.fault ?? .malformed
                return
            }
        }
        switch self.purpose {
        case .request:
            if name.count == 6, Bytes.equal(name, "cookie") {
                // Joined to an empty one the value would end in a space, which HTTP/1.1 takes for none of it.
                if value.isEmpty { return }
                if !self.cookie.isEmpty { self.cookie += [UInt8(ascii: ";"), Bytes.space] }
                self.cookie.append(contentsOf: value)
                if self.cookie.count > self.bytesMax { self.fault = .tooLarge }
                return
            }
            if name.count == 4, Bytes.equal(name, "host"), self.seen.contains(.authority) {
                // Section 8.3.1: it may only say the same.
                let same = self.pseudo.authority.withUnsafeBytes { Bytes.equalIgnoringCase($0, value) }
                if !same { self.fault = .malformed }
                return
            }
        case .trailers:
            if Self.isForbiddenTrailer(name) { return }
        case .response: ()
        }
        self.addLine(name, value)
    }

    /// All fields have come.
    package func finish() {
        guard self.fault == nil else { return }
        if !self.startsFields {
            guard self.writeStartLine() else {
                self.fault = self.fault ?? .malformed
                return
            }
        }
        if !self.cookie.isEmpty {
            let name: StaticString = "cookie"
            self.cookie.withUnsafeBytes {
                self.addLine(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), $0)
            }
        }
        guard self.fault == nil, self.purpose != .trailers else { return }
        self.put(UnsafeRawBufferPointer(start: Self.lineEnd.utf8Start, count: 2))
        if self.purpose == .request { self.checkRequest() }
    }

    private static let lineEnd: StaticString = "\r\n"

    private func checkRequest() {
        if self.authority.isEmpty, self.fields.hostIndex >= 0 {
            self.authority = self.fields.fields[self.fields.hostIndex].value
        }
        if !RequestScanner.isValidHost(self.text, self.authority) { self.fault = .malformed }
    }

    private func addLine(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let nameStart = self.count
        self.put(name)
        let nameEnd = self.count
        self.put(Bytes.colon, Bytes.space)
        let valueStart = self.count
        self.put(value)
        let valueEnd = self.count
        self.put(Bytes.carriageReturn, Bytes.lineFeed)
        if self.count > self.bytesMax { self.fault = .tooLarge }
        guard let fault = self.fields.add(self.text, name: nameStart..<nameEnd, value: valueStart..<valueEnd) else {
            return
        }
        self.fault = fault.status == 431 ? .tooLarge : .malformed
    }

    // MARK: Pseudo-header fields

    private func takePseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        let field: Pseudo
        switch (self.purpose, name.count) {
        case (.request, 7) where Bytes.isSame(name, ":method"):
            field = .method
            self.pseudo.method.replace(with: value)
        case (.request, 5) where Bytes.isSame(name, ":path"):
            field = .path
            self.pseudo.path.replace(with: value)
        case (.request, 10) where Bytes.isSame(name, ":authority"):
            field = .authority
            self.pseudo.authority.replace(with: value)
        case (.request, 7) where Bytes.isSame(name, ":scheme"):
            field = .scheme
            self.pseudo.scheme.replace(with: value)
        case (.response, 7) where Bytes.isSame(name, ":status"):
            field = .status
            self.pseudo.status.replace(with: value)
        default: return false
        }
        return self.seen.insert(field).inserted
    }

    /// `false`: what it needs is missing or malformed.
    private func writeStartLine() -> Bool {
        switch self.purpose {
        case .trailers: return true
        case .response: return self.writeStatusLine()
        case .request: return self.writeRequestLine()
        }
    }

    private func writeRequestLine() -> Bool {
        guard !self.pseudo.method.isEmpty, self.seen.contains(.method),
            self.pseudo.method.allSatisfy(Bytes.isToken)
        else { return false }
        self.kind = self.pseudo.method.withUnsafeBytes { RequestScanner.kind($0) }
        if self.kind == .connect {
            // Section 8.5: neither scheme nor path; what RFC 8441 adds is not announced.
            guard !self.seen.contains(.path), !self.seen.contains(.scheme), self.seen.contains(.authority) else {
                return false
            }
            self.pseudo.path = self.pseudo.authority
        } else {
            guard self.seen.contains(.scheme), self.seen.contains(.path), self.isPathValid else { return false }
            self.isHTTPS = self.pseudo.scheme.elementsEqual("https".utf8)
        }
        guard
            self.count + self.pseudo.method.count + self.pseudo.path.count + self.pseudo.authority.count + 32
                <= self.bytesMax
        else {
            self.fault = .tooLarge
            return false
        }
        self.method = self.put(self.pseudo.method)
        self.put(Bytes.space)
        self.target = self.put(self.pseudo.path)
        let version: StaticString = " HTTP/1.1\r\n"
        self.put(UnsafeRawBufferPointer(start: version.utf8Start, count: version.utf8CodeUnitCount))
        self.startLineCount = self.count
        guard self.seen.contains(.authority) else { return true }
        let host: StaticString = "host"
        self.pseudo.authority.withUnsafeBytes {
            self.addLine(UnsafeRawBufferPointer(start: host.utf8Start, count: host.utf8CodeUnitCount), $0)
        }
        self.authority = self.fields.fields.last?.value ?? self.authority
        return self.fault == nil
    }

    private var isPathValid: Bool {
        let path = self.pseudo.path
        if path.count == 1, path[0] == UInt8(ascii: "*") { return self.kind == .options }
        guard path.first == UInt8(ascii: "/") else { return false }
        // As strict as the start line of HTTP/1: what it could not carry cannot come in by another way.
        return path.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }
    }

    private func writeStatusLine() -> Bool {
        let digits = self.pseudo.status
        // What an earlier head brought may still stand there.
        guard self.seen.contains(.status), digits.count == 3, digits.allSatisfy(Bytes.isDigit) else { return false }
        self.status = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
        guard (100..<600).contains(self.status), self.status != 101 else { return false }
        let version: StaticString = "HTTP/1.1 "
        self.put(UnsafeRawBufferPointer(start: version.utf8Start, count: version.utf8CodeUnitCount))
        let start = self.count
        self.put(digits)
        self.put(Bytes.space)
        let phrase = StatusPhrase.of(self.status)
        self.put(UnsafeRawBufferPointer(start: phrase.utf8Start, count: phrase.utf8CodeUnitCount))
        self.statusText = ByteRange(
            start: UInt32(truncatingIfNeeded: start),
            count: UInt32(truncatingIfNeeded: self.count - start)
        )
        self.put(Bytes.carriageReturn, Bytes.lineFeed)
        self.startLineCount = self.count
        return true
    }

    // MARK: Checks

    /// A token in lower case (section 8.2.1).
    private static func isValid(name: UnsafeRawBufferPointer) -> Bool {
        guard !name.isEmpty else { return false }
        for byte in name where !Bytes.isToken(byte) || byte &- 65 < 26 { return false }
        return true
    }

    /// No control bytes but tab, no space at either end.
    private static func isValid(value: UnsafeRawBufferPointer) -> Bool {
        guard let first = value.first, let last = value.last else { return true }
        if first == Bytes.space || first == Bytes.tab || last == Bytes.space || last == Bytes.tab { return false }
        var index = 0
        while index &+ 8 <= value.count {
            if Bytes.hasControl(value.loadUnaligned(fromByteOffset: index, as: UInt64.self)) { break }
            index &+= 8
        }
        while index < value.count {
            let byte = value[index]
            if (byte < 0x20 && byte != Bytes.tab) || byte == 0x7F { return false }
            index &+= 1
        }
        return true
    }

    /// Fields that belong to one connection of HTTP/1 (section 8.2.2).
    private static func isForbidden(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 2: Bytes.isSame(name, "te") && !Bytes.equal(value, "trailers")
        case 7: Bytes.isSame(name, "upgrade")
        case 10: Bytes.isSame(name, "connection") || Bytes.isSame(name, "keep-alive")
        case 16: Bytes.isSame(name, "proxy-connection")
        case 17: Bytes.isSame(name, "transfer-encoding")
        default: false
        }
    }

    /// Framing and routing cannot come late (RFC 9110 6.5.1); left out, as nobody may act on them.
    private static func isForbiddenTrailer(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 4: Bytes.isSame(name, "host")
        case 7: Bytes.isSame(name, "trailer")
        case 14: Bytes.isSame(name, "content-length")
        default: false
        }
    }

    // MARK: Memory

    private func put(_ bytes: UnsafeRawBufferPointer) {
        self.makeRoom(bytes.count)
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        self.memory.baseAddress?.advanced(by: self.count).copyMemory(from: source, byteCount: bytes.count)
        self.count &+= bytes.count
    }

    @discardableResult
    private func put(_ bytes: [UInt8]) -> ByteRange {
        let start = self.count
        bytes.withUnsafeBytes { self.put($0) }
        return ByteRange(start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: bytes.count))
    }

    private func put(_ byte: UInt8) {
        self.makeRoom(1)
        self.memory[self.count] = byte
        self.count &+= 1
    }

    private func put(_ first: UInt8, _ second: UInt8) {
        self.makeRoom(2)
        self.memory[self.count] = first
        self.memory[self.count &+ 1] = second
        self.count &+= 2
    }

    private func makeRoom(_ room: Int) {
        guard self.count + room > self.memory.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(self.memory.count * 2, self.count + room),
            alignment: 8
        )
        larger.copyMemory(from: self.text)
        self.memory.deallocate()
        self.memory = larger
    }
}

extension [UInt8] {
    fileprivate mutating func replace(with bytes: UnsafeRawBufferPointer) {
        self.removeAll(keepingCapacity: true)
        self.append(contentsOf: bytes)
    }
}

extension Bytes {
    /// Whether `bytes` equal `text` exactly.
    static func isSame(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return bytes.elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
