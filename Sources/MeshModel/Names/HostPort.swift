/// A host and a port, as people write them: `istiod.istio-system.svc:15012`, `10.0.0.1:15012`, `[2001:db8::1]:15012`.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address, without brackets.
    package var host: String
    package var port: Port

    package init(host: String, port: Port) {
        self.host = host
        self.port = port
    }

    /// `nil` if the text is not of this form. An IPv6 address needs its brackets: without them nobody can tell where it
    /// ends (RFC 3986 section 3.2.2).
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        // Numbers may have a sign; ports do not.
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits),
            let port = Port(number)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard case .v6? = IPAddress(String(host)) else { return nil }
        } else if host.contains(where: { ":[]".contains($0) }) {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
