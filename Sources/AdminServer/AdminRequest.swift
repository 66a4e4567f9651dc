/// A request to the administration interface, taken apart.
package struct AdminRequest: Sendable, Hashable {
    package var method: String
    package var path: String
    /// Decoded; of a repeated name the last counts.
    package var query: [String: String]

    package init(method: String, target: String) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.path = String(parts[0])
        self.query = [:]
        guard parts.count > 1 else { return }
        for pair in parts[1].split(separator: "&") {
            let words = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            self.query[Self.decoded(words[0])] = words.count > 1 ? Self.decoded(words[1]) : ""
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(Substring(rest.prefix(2)), radix: 16), rest.count >= 2 {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is answered.
package struct AdminResponse: Sendable, Hashable {
    package var status: Int
    package var contentType: String
    package var body: String

    package init(_ status: Int = 200, contentType: String = "text/plain; charset=UTF-8", body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ body: String) -> AdminResponse { AdminResponse(contentType: "application/json", body: body) }
}
