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
    func add(to values: inout [String: MixerValue], requestHeadBytes: Int) {
        values["request.size"] = .number(Int64(self.bytesReceived))
        values["request.total_size"] = .number(Int64(self.bytesReceived + requestHeadBytes))
        values["response.code"] = .number(Int64(self.status))
        values["response.size"] = .number(Int64(self.bytesSent))
        values["response.total_size"] = .number(Int64(self.bytesWritten))
        guard let response = self.response else { return }
        var headers = response.map
        headers[":status"] = String(self.status)
        values["response.headers"] = MixerValue.map(headers)
        if let status = response.value(of: "grpc-status") { values["response.grpc_status"] = .text(status) }
        if let message = response.value(of: "grpc-message") { values["response.grpc_message"] = .text(message) }
    }
}

/// A copy of an answer's header lines and trailers, for a report that is written later.
package struct ReportedHeaders: Sendable {
    private var bytes: [UInt8]
    private var fields: [HeaderField]
    /// Lines as they came.
    private var trailers: [UInt8] = []

    /// - Parameters:
    ///   - head: the whole head.
    ///   - fields: where its lines stand in it.
    package init(_ head: UnsafeRawBufferPointer, _ fields: [HeaderField]) {
        self.bytes = Array(head)
        self.fields = fields
    }

    /// `lines`: each ends with CRLF; the last of several calls counts.
    package mutating func set(trailers lines: some Collection<UInt8>) { self.trailers = Array(lines) }

    /// By name in lower case; repeated lines are one list (RFC 9110 section 5.3).
    var map: [String: String] {
        var entries: [String: String] = [:]
        for field in self.fields {
            let name = self.text(field.name).lowercased()
            let value = self.text(field.value)
            entries[name] = entries[name].map { "\($0),\(value)" } ?? value
        }
        return entries
    }

    /// Of a trailer, or else of a header; `name` in lower case.
    func value(of name: String) -> String? {
        for line in self.trailers.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1)
            guard parts.count == 2, String(decoding: parts[0], as: UTF8.self).lowercased() == name else { continue }
            let value = parts[1].drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: "\r") }
            return String(decoding: value, as: UTF8.self)
        }
        return self.map[name]
    }

    private func text(_ range: ByteRange) -> String {
        let start = Int(range.start)
        let end = start + Int(range.count)
        return end <= self.bytes.count ? String(decoding: self.bytes[start..<end], as: UTF8.self) : ""
    }
}
