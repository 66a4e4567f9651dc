internal import TrafficEngine

/// Headers that a service wants changed, checked: it shall not be able to smuggle lines or requests.
enum HeaderChecks {
    /// Framing is the proxy's business, and so is who the request is for.
    private static let forbidden: Set<String> = [
        "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive",
        "proxy-connection",
    ]

    /// `nil`: no header that may be changed (RFC 9110 sections 5.1 and 5.5).
    static func entry(_ name: String, _ value: some Sequence<UInt8>) -> HeaderEdits.Entry? {
        guard let name = Self.name(name) else { return nil }
        let value = Array(value)
        guard value.allSatisfy({ $0 >= 32 && $0 != 127 || $0 == 9 }) else { return nil }
        return HeaderEdits.Entry(name: name, value: value)
    }

    static func name(_ text: String) -> [UInt8]? {
        let text = text.lowercased()
        let marks = Array("!#$%&'*+-.^_`|~".utf8)
        let isToken = text.utf8.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || marks.contains($0)
        }
        return text.isEmpty || !isToken || Self.forbidden.contains(text) ? nil : Array(text.utf8)
    }
}
