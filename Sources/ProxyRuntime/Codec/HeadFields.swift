package import TrafficEngine

/// The header lines of one message: where they stand in the received bytes, and what the known ones say.
///
/// Kept by a connection and reused, so that a request costs no allocation. Strict as RFC 9112 section 5 allows:
/// whatever another implementation could read in another way is refused.
package struct HeadFields {
    /// More lines than this are refused; Envoy's default.
    package static let countMax = 100

    /// In order of receipt, the ones to drop included.
    package private(set) var fields: [HeaderField] = []
    /// Lines that must not be passed on: hop-by-hop ones and those that the proxy writes itself.
    var dropped = IndexSet128()
    package private(set) var contentLength: Int?
    package private(set) var isChunked = false
    package private(set) var connection = ConnectionOptions()
    private(set) var hasTransferEncoding = false
    /// `Connection` names headers that are neither hop-by-hop by definition nor options that we know.
    private(set) var connectionListsOthers = false
    private(set) var connectionLines = IndexSet128()
    private(set) var hostIndex = -1
    private(set) var expectIndex = -1
    private(set) var upgradeIndex = -1
    private(set) var forwardedForIndex = -1
    private(set) var requestIDIndex = -1
    private(set) var serverIndex = -1
    private(set) var transferEncodingIndex = -1
    private(set) var grpcStatusIndex = -1
    private(set) var grpcTimeoutIndex = -1
    private(set) var contentTypeIndex = -1
    private(set) var clientCertificateIndex = -1
    /// Lines of `x-forwarded-proto`: all of them go where none is trusted.
    private(set) var forwardedProtoLines = IndexSet128()
    /// Lines that begin with `x-envoy-`, in the order of receipt.
    private(set) var envoyLines = IndexSet128()
    /// Lines of `k-proxy-request`: who sends the request on has reported it to an autoscaler.
    private(set) var reportedLines = IndexSet128()

    /// What `Connection` lines say.
    package struct ConnectionOptions: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let close = ConnectionOptions(rawValue: 1)
        package static let keepAlive = ConnectionOptions(rawValue: 2)
        package static let upgrade = ConnectionOptions(rawValue: 4)
    }

    package init() { self.fields.reserveCapacity(24) }

    mutating func reset() {
        self.fields.removeAll(keepingCapacity: true)
        self.dropped = IndexSet128()
        self.contentLength = nil
        self.isChunked = false
        self.connection = []
        self.hasTransferEncoding = false
        self.connectionListsOthers = false
        self.connectionLines = IndexSet128()
        self.hostIndex = -1
        self.expectIndex = -1
        self.upgradeIndex = -1
        self.forwardedForIndex = -1
        self.forwardedProtoLines = IndexSet128()
        self.requestIDIndex = -1
        self.serverIndex = -1
        self.transferEncodingIndex = -1
        self.grpcStatusIndex = -1
        self.grpcTimeoutIndex = -1
        self.contentTypeIndex = -1
        self.clientCertificateIndex = -1
        self.envoyLines = IndexSet128()
        self.reportedLines = IndexSet128()
    }

    /// Reads header lines from `position` on; after `.complete` it stands behind the empty line, after `.needsMore`
    /// at the start of the first line that is not complete.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from position: inout Int) -> ScanProgress {
        let count = bytes.count
        while true {
            guard position < count else { return .needsMore }
            let first = bytes[position]
            if first == Bytes.carriageReturn {
                guard position + 1 < count else { return .needsMore }
                guard bytes[position + 1] == Bytes.lineFeed else { return .failed(.bareCR) }
                position += 2
                return self.finish(bytes)
            }
            switch self.scanLine(bytes, from: position) {
            case .complete: position = self.lineEnd
            case .needsMore: return .needsMore
            case .failed(let fault): return .failed(fault)
            }
        }
    }

    private var lineEnd = 0

    private mutating func scanLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> ScanProgress {
        let count = bytes.count
        var index = start
        while index < count, Bytes.isToken(bytes[index]) { index += 1 }
        guard index < count else { return .needsMore }
        guard bytes[index] == Bytes.colon, index > start else {
            return .failed(self.nameFault(bytes[index], isFirst: index == start))
        }
        let nameEnd = index
        index += 1
        while index < count, bytes[index] == Bytes.space || bytes[index] == Bytes.tab { index += 1 }
        let valueStart = index
        scanning: while true {
            while index &+ 8 <= count {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                if Bytes.hasControl(word) { break }
                index &+= 8
            }
            while index < count, bytes[index] >= 0x20, bytes[index] != 0x7F { index += 1 }
            guard index < count else { return .needsMore }
            switch bytes[index] {
            case Bytes.tab: index += 1
            case Bytes.carriageReturn:
                guard index + 1 < count else { return .needsMore }
                guard bytes[index + 1] == Bytes.lineFeed else { return .failed(.bareCR) }
                break scanning
            case Bytes.lineFeed: return .failed(.bareLF)
            default: return .failed(.badValueByte)
            }
        }
        self.lineEnd = index + 2
        while index > valueStart, bytes[index - 1] == Bytes.space || bytes[index - 1] == Bytes.tab { index -= 1 }
        guard self.fields.count < Self.countMax else { return .failed(.tooManyFields) }
        let name = UnsafeRawBufferPointer(rebasing: bytes[start..<nameEnd])
        let value = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<index])
        let fault = self.note(name, value)
        self.fields.append(
            HeaderField(
                name: ByteRange(
                    start: UInt32(truncatingIfNeeded: start),
                    count: UInt32(truncatingIfNeeded: name.count)
                ),
                value: ByteRange(
                    start: UInt32(truncatingIfNeeded: valueStart),
                    count: UInt32(truncatingIfNeeded: value.count)
                )
            )
        )
        if let fault { return .failed(fault) }
        return .complete
    }

    /// Takes a line that HTTP/2 brought, already in its place among `bytes`; it was checked byte by byte.
    mutating func add(_ bytes: UnsafeRawBufferPointer, name: Range<Int>, value: Range<Int>) -> HeadFault? {
        guard self.fields.count < Self.countMax else { return .tooManyFields }
        let fault = self.note(
            UnsafeRawBufferPointer(rebasing: bytes[name]),
            UnsafeRawBufferPointer(rebasing: bytes[value])
        )
        self.fields.append(
            HeaderField(
                name: ByteRange(
                    start: UInt32(truncatingIfNeeded: name.lowerBound),
                    count: UInt32(truncatingIfNeeded: name.count)
                ),
                value: ByteRange(
                    start: UInt32(truncatingIfNeeded: value.lowerBound),
                    count: UInt32(truncatingIfNeeded: value.count)
                )
            )
        )
        return fault
    }

    /// Why a line cannot start like this.
    private func nameFault(_ byte: UInt8, isFirst: Bool) -> HeadFault {
        switch byte {
        case Bytes.space, Bytes.tab:
            isFirst ? (self.fields.isEmpty ? .leadingWhitespace : .folded) : .spaceBeforeColon
        case Bytes.colon: .emptyName
        case Bytes.carriageReturn: .missingColon
        case Bytes.lineFeed: .bareLF
        default: .badNameByte
        }
    }

    /// Notes what a known header says; its line is about to become number `fields.count`.
    private mutating func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> HeadFault? {
        let index = self.fields.count
        switch name.count {
        case 2 where Bytes.equal(name, "te"):
            // Only `trailers` survives a hop, for gRPC needs it (RFC 9110 10.1.4).
            if !Bytes.equal(value, "trailers") { self.dropped.insert(index) }
        case 4 where Bytes.equal(name, "host"):
            if self.hostIndex >= 0 { return .repeatedHost }
            self.hostIndex = index
        case 6 where Bytes.equal(name, "expect"): self.expectIndex = index
        case 6 where Bytes.equal(name, "server"): self.serverIndex = index
        case 7 where Bytes.equal(name, "upgrade"):
            self.upgradeIndex = index
            self.dropped.insert(index)
        case 10 where Bytes.equal(name, "connection"): self.noteConnection(value, index)
        case 10 where Bytes.equal(name, "keep-alive"): self.dropped.insert(index)
        case 11 where Bytes.equal(name, "grpc-status"): self.grpcStatusIndex = index
        case 12 where Bytes.equal(name, "grpc-timeout"): self.grpcTimeoutIndex = index
        case 12 where Bytes.equal(name, "content-type"): self.contentTypeIndex = index
        case 12 where Bytes.equal(name, "x-request-id"):
            if self.requestIDIndex < 0 { self.requestIDIndex = index }
        case 14 where Bytes.equal(name, "content-length"): return self.noteLength(value)
        case 14 where Bytes.equal(name, "http2-settings"): self.dropped.insert(index)
        case 15 where Bytes.equal(name, "x-forwarded-for"): self.forwardedForIndex = index
        case 15 where Bytes.equal(name, "k-proxy-request"): self.reportedLines.insert(index)
        case 16 where Bytes.equal(name, "proxy-connection"): self.dropped.insert(index)
        case 17 where Bytes.equal(name, "transfer-encoding"):
            self.transferEncodingIndex = index
            return self.noteEncoding(value)
        case 17 where Bytes.equal(name, "x-forwarded-proto"): self.forwardedProtoLines.insert(index)
        case 29 where Bytes.equal(name, "x-envoy-upstream-service-time"): self.dropped.insert(index)
        default: ()
        }
        // Rare ones that begin alike.
        if name.count > 8, name[1] == UInt8(ascii: "-"), Bytes.lowered(name[0]) == UInt8(ascii: "x") {
            self.noteExtension(name, index)
        }
        return nil
    }

    private mutating func noteExtension(_ name: UnsafeRawBufferPointer, _ index: Int) {
        if name.count == 18, Bytes.equal(name, "x-istio-attributes") {
            // What proxies tell each other: nobody else may write it, and nobody else need see it.
            self.dropped.insert(index)
        } else if name.count == 23, Bytes.equal(name, "x-forwarded-client-cert") {
            // Two lines are one list; which of them is whose cannot be told, so only the first can be kept.
            if self.clientCertificateIndex >= 0 {
                self.dropped.insert(index)
            } else {
                self.clientCertificateIndex = index
            }
        } else if Bytes.equal(UnsafeRawBufferPointer(rebasing: name[..<8]), "x-envoy-") {
            self.envoyLines.insert(index)
        }
    }

    private mutating func noteConnection(_ value: UnsafeRawBufferPointer, _ index: Int) {
        self.dropped.insert(index)
        self.connectionLines.insert(index)
        Bytes.forEachElement(value) { option in
            if Bytes.equal(option, "keep-alive") {
                self.connection.insert(.keepAlive)
            } else if Bytes.equal(option, "close") {
                self.connection.insert(.close)
            } else if Bytes.equal(option, "upgrade") {
                self.connection.insert(.upgrade)
            } else {
                self.connectionListsOthers = true
            }
        }
    }

    /// RFC 9112 6.3: a list or a second line, even of equal values, is refused; others disagree on what they mean.
    private mutating func noteLength(_ value: UnsafeRawBufferPointer) -> HeadFault? {
        if self.contentLength != nil { return .repeatedLength }
        guard (1...18).contains(value.count) else { return .badLength }
        var length = 0
        for byte in value {
            guard Bytes.isDigit(byte) else { return .badLength }
            length = length * 10 + Int(byte - 48)
        }
        self.contentLength = length
        return nil
    }

    /// RFC 9112 6.1: `chunked` alone is what we pass on; anything else could hide a body's end.
    private mutating func noteEncoding(_ value: UnsafeRawBufferPointer) -> HeadFault? {
        if self.hasTransferEncoding { return .repeatedEncoding }
        self.hasTransferEncoding = true
        guard Bytes.equal(value, "chunked") else { return .unknownEncoding }
        self.isChunked = true
        return nil
    }

    /// Marks the lines that `Connection` names, once all are known.
    private mutating func finish(_ bytes: UnsafeRawBufferPointer) -> ScanProgress {
        if self.isChunked, self.contentLength != nil { return .failed(.lengthAndEncoding) }
        guard self.connectionListsOthers else { return .complete }
        for line in self.fields.indices where self.connectionLines.contains(line) {
            let range = self.fields[line].value
            let value = UnsafeRawBufferPointer(
                rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)]
            )
            Bytes.forEachElement(value) { self.dropNamed($0, in: bytes) }
        }
        return .complete
    }

    /// Framing, routing and `TE: trailers` are not the peer's to remove.
    private mutating func dropNamed(_ name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) {
        if Bytes.equal(name, "te") || Bytes.equal(name, "host") || Bytes.equal(name, "content-length")
            || Bytes.equal(name, "transfer-encoding")
        {
            return
        }
        for index in self.fields.indices {
            let range = self.fields[index].name
            let other = UnsafeRawBufferPointer(
                rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)]
            )
            if Bytes.equalIgnoringCase(name, other) { self.dropped.insert(index) }
        }
    }
}

/// A set of small numbers, 0 to 127.
struct IndexSet128 {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    var isEmpty: Bool { self.low | self.high == 0 }

    /// The smallest number; `nil`: it is empty.
    var first: Int? {
        if self.low != 0 { return self.low.trailingZeroBitCount }
        return self.high == 0 ? nil : 64 + self.high.trailingZeroBitCount
    }

    mutating func formUnion(_ other: IndexSet128) {
        self.low |= other.low
        self.high |= other.high
    }

    mutating func insert(_ index: Int) {
        if index < 64 { self.low |= 1 << UInt64(index & 63) } else { self.high |= 1 << UInt64(index & 63) }
    }

    func contains(_ index: Int) -> Bool {
        (index < 64 ? self.low : self.high) >> UInt64(index & 63) & 1 == 1
    }
}
