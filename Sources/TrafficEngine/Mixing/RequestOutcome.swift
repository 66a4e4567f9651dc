/// What became of one request.
package struct RequestOutcome: Sendable {
    /// Of the answer; 0: none was begun.
    package var status = 0
    /// Of the request's body.
    package var bytesReceived = 0
    /// Of the answer's body.
    package var bytesSent = 0
    /// Of the whole answer.
    package var bytesWritten = 0
    /// As the endpoint sent it; `nil`: the proxy answered by itself.
    package var response: ReportedHeaders?

    package init() {}

    /// Adds what the engine is told.
    func add(to record: inout AttributeRecord, requestHeadBytes: Int) {
        record.set(.requestSize, Int64(self.bytesReceived))
        record.set(.requestTotalSize, Int64(self.bytesReceived + requestHeadBytes))
        record.set(.responseCode, Int64(self.status))
        record.set(.responseSize, Int64(self.bytesSent))
        record.set(.responseTotalSize, Int64(self.bytesWritten))
    }

    /// Adds what the engine is told of the endpoint's answer.
    func addResponse(to record: inout AttributeRecord) {
        guard let response = self.response else { return }
        record.set(.responseHeaders) { response.append(to: &$0, status: self.status) }
        if let status = response.value(of: "grpc-status") { record.set(.grpcStatus, text: status) }
        if let message = response.value(of: "grpc-message") { record.set(.grpcMessage, text: message) }
    }

    /// Whether the endpoint has answered the same, as far as `addResponse` tells it.
    func isAlike(_ other: RequestOutcome) -> Bool {
        guard self.status == other.status else { return false }
        return switch (self.response, other.response) {
        case (nil, nil): true
        case (.some(let own), .some(let other)): own.isSame(as: other)
        case (.some, nil), (nil, .some): false
        }
    }
}

/// A copy of an answer's header lines and trailers, for a report that is written later.
package struct ReportedHeaders: Sendable {
    private var bytes: [UInt8]
    private var fields: [HeaderField]
    /// Lines as they came.
    private var trailers: [UInt8] = []

    /// - Parameters:
    ///   - head: begins with the whole head.
    ///   - fields: where its lines stand in it.
    package init(_ head: UnsafeRawBufferPointer, _ fields: [HeaderField]) {
        self.bytes = Array(UnsafeRawBufferPointer(rebasing: head.prefix(Int(fields.map(\.value.end).max() ?? 0))))
        self.fields = fields
    }

    /// Whether a head that stands where it was received says the same; trailers do not count.
    package func isSame(as head: UnsafeRawBufferPointer, _ fields: [HeaderField]) -> Bool {
        self.bytes.count <= head.count
            && self.fields.withUnsafeBytes { own in fields.withUnsafeBytes { own.isSame(as: $0) } }
            && self.bytes.withUnsafeBytes { $0.isSame(as: UnsafeRawBufferPointer(rebasing: head[..<$0.count])) }
    }

    /// `lines`: each ends with CRLF; the last of several calls counts.
    package mutating func set(trailers lines: some Collection<UInt8>) { self.trailers = Array(lines) }

    func isSame(as other: ReportedHeaders) -> Bool {
        self.trailers == other.trailers
            && self.bytes.withUnsafeBytes { own in other.bytes.withUnsafeBytes { own.isSame(as: $0) } }
            && self.fields.withUnsafeBytes { own in other.fields.withUnsafeBytes { own.isSame(as: $0) } }
    }

    /// Appends names, in lower case, and values as a map of `AttributeRecord`, the status among them.
    func append(to bytes: inout [UInt8], status: Int) {
        self.bytes.withUnsafeBytes { head in
            bytes.appendHeaders(self.fields, in: head) { !Self.isIn(head, $0.name) || !Self.isIn(head, $0.value) }
        }
        bytes.appendPart(":status".utf8)
        bytes.appendPart(String(status).utf8)
    }

    /// Of a trailer, or else of a header; `name` in lower case.
    func value(of name: String) -> String? {
        for line in self.trailers.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1)
            guard parts.count == 2, String(decoding: parts[0], as: UTF8.self).lowercased() == name else { continue }
            let value = parts[1].drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: "\r") }
            return String(decoding: value, as: UTF8.self)
        }
        return self.bytes.withUnsafeBytes { head in
            for field in self.fields where Self.isIn(head, field.name) && Self.isIn(head, field.value) {
                let range = Int(field.name.start)..<Int(field.name.start + field.name.count)
                guard range.count == name.utf8.count, zip(head[range], name.utf8).allSatisfy({ lowered($0) == $1 })
                else { continue }
                let start = Int(field.value.start)
                return String(decoding: head[start..<start + Int(field.value.count)], as: UTF8.self)
            }
            return nil
        }
    }

    private static func isIn(_ head: UnsafeRawBufferPointer, _ range: ByteRange) -> Bool {
        Int(range.start) + Int(range.count) <= head.count
    }
}
