package import MeshModel

/// Where an adapter listens: `HOST:PORT`, `ADDRESS:PORT`, `[V6]:PORT` or `unix:///PATH`; `dns:///` may stand before hosts.
package enum AdapterAddress: Sendable, Hashable, CustomStringConvertible {
    case ip(IPAddress, port: Int)
    case host(String, port: Int)
    case socket(path: String)

    /// `nil` if the text is none.
    package init?(_ text: String) {
        for prefix in ["unix://", "unix:"] where text.hasPrefix(prefix) {
            let path = text.dropFirst(prefix.count)
            // 108 bytes with a zero at the end is what `sockaddr_un` holds.
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .socket(path: String(path))
            return
        }
        let rest = text.hasPrefix("dns:///") ? text.dropFirst("dns:///".count) : text[...]
        guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = rest[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        if let address = IPAddress(String(host)) {
            if case .v6 = address, !isBracketed { return nil }
            self = .ip(address, port: port)
            return
        }
        let isName = host.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || [0x2d, 0x2e, 0x5f].contains($0)
        }
        guard !isBracketed, isName, (1...253).contains(host.utf8.count) else { return nil }
        self = .host(String(host), port: port)
    }

    package var description: String {
        switch self {
        case .ip(.v4(let bits), let port): "\(IPAddress.v4(bits)):\(port)"
        case .ip(let address, let port): "[\(address)]:\(port)"
        case .host(let host, let port): "\(host):\(port)"
        case .socket(let path): "unix://\(path)"
        }
    }
}
