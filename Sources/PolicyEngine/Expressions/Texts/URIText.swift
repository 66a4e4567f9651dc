/// A URI or a reference to one, in the form in which it is compared: the scheme in lower case, the host of `http` and
/// `https` as a DNS name; everything else as it stands.
struct URIText: Sendable, Hashable {
    private enum Host: Sendable, Hashable {
        case name(DomainName)
        case other(String)
    }

    private let scheme: String
    private let user: String?
    private let host: Host?
    private let port: String
    private let rest: String

    /// RFC 3986, not stricter than what clients send: other scripts may stand unescaped. `nil` for an empty text,
    /// control characters, broken escapes, ports that are no number, or a first segment with a colon.
    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 65_536, Self.hasLegalBytes(text) else { return nil }
        var rest = text[...]
        var scheme = ""
        if let colon = rest.firstIndex(where: { ":/?#".contains($0) }), rest[colon] == ":" {
            guard Self.isScheme(rest[..<colon]) else { return nil }
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        }
        var user: String?
        var host: Host?
        var port = ""
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
            var authority = rest[..<end]
            rest = rest[end...]
            if let at = authority.lastIndex(of: "@") {
                user = String(authority[..<at])
                authority = authority[authority.index(after: at)...]
            }
            guard let (name, digits) = Self.split(authority) else { return nil }
            port = digits
            host = .other(name)
            if ["http", "https"].contains(scheme), let name = DomainName(name) { host = .name(name) }
        }
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.rest = String(rest)
    }

    private static func hasLegalBytes(_ text: String) -> Bool {
        var escapeDigits = 0
        for byte in text.utf8 {
            if escapeDigits > 0 {
                let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
                guard isHex else { return false }
                escapeDigits -= 1
            } else if byte == UInt8(ascii: "%") {
                escapeDigits = 2
            } else if byte <= 0x20 || byte == 0x7f {
                return false
            }
        }
        return escapeDigits == 0
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.unicodeScalars.first, first.isASCII, first.properties.isAlphabetic else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789+-.".unicodeScalars.contains(scalar))
        }
    }

    /// Host and port of `host:port`, `[::1]:port` or a host alone.
    private static func split(_ authority: Substring) -> (String, String)? {
        var host = authority
        var port: Substring = ""
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            port = rest.dropFirst()
            host = host[...end]
        } else if let colon = host.lastIndex(of: ":") {
            port = host[host.index(after: colon)...]
            host = host[..<colon]
            guard !host.contains(":") else { return nil }
        }
        guard port.utf8.count <= 5, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return (String(host), String(port))
    }
}
