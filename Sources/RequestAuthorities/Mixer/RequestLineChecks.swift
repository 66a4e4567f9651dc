internal import ProxyRuntime
internal import TrafficEngine

/// Parts of a request's first lines that the engine wants changed, checked: it shall not be able to smuggle lines or
/// requests.
///
/// The scanner that reads clients' requests judges, so that nothing can come by this way that could not have come from a
/// client.
enum RequestLineChecks {
    /// More than proxies let a whole head have by default.
    private static let headBytesMax = 64 * 1024

    /// Takes the new value of `:method`, `:path` or `:authority`; `false`: it is none of them, or it may not be that.
    static func replace(_ name: String, with value: String, in edits: inout RequestLineEdits) -> Bool {
        let value = Array(value.utf8)
        switch name.lowercased() {
        case ":method":
            // A HEAD's answer has no body, and a CONNECT's is a tunnel: the client has not asked for either.
            guard let scanner = self.scan(method: value), scanner.kind != .head, scanner.kind != .connect else {
                return false
            }
            edits.method = value
        case ":path":
            let isAsterisk = value == [UInt8(ascii: "*")]
            let method: StaticString = isAsterisk ? "OPTIONS" : "GET"
            guard self.scan(method: Array("\(method)".utf8), target: value) != nil else { return false }
            edits.target = value
        case ":authority":
            guard self.scan(authority: value) != nil else { return false }
            edits.authority = value
        default: return false
        }
        return true
    }

    /// Reads a request of these parts; `nil`: it is none, or not one of exactly these.
    private static func scan(
        method: [UInt8] = Array("GET".utf8),
        target: [UInt8] = [UInt8(ascii: "/")],
        authority: [UInt8] = Array("host".utf8)
    ) -> RequestScanner? {
        var text = method + [UInt8(ascii: " ")] + target
        text += Array(" HTTP/1.1\r\nhost: ".utf8) + authority + Array("\r\n\r\n".utf8)
        var scanner = RequestScanner(headBytesMax: self.headBytesMax)
        let progress = text.withUnsafeBytes { scanner.scan($0) }
        guard progress == .complete, scanner.headCount == text.count, !scanner.isAbsoluteForm,
            Int(scanner.method.count) == method.count, Int(scanner.target.count) == target.count,
            Int(scanner.authority.count) == authority.count
        else { return nil }
        return scanner
    }
}
