/// Where a handler sends to: `HOST:PORT`, `[::1]:PORT`.
package struct Endpoint: Sendable, Hashable {
    package var host: String
    package var port: Int

    package init?(_ text: String, defaultPort: Int) {
        var host = text[...]
        var digits: Substring?
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            if !rest.isEmpty { digits = rest.dropFirst() }
            host = host[..<end].dropFirst()
        } else if let colon = host.lastIndex(of: ":") {
            digits = host[host.index(after: colon)...]
            host = host[..<colon]
            guard !host.contains(":") else { return nil }
        }
        let port = digits.map { UInt16($0).map(Int.init) ?? 0 } ?? defaultPort
        guard !host.isEmpty, port > 0, !host.contains(where: \.isWhitespace) else { return nil }
        self.host = String(host)
        self.port = port
    }
}

extension SettingsReader {
    /// A `HOST:PORT`; without one `standard` counts.
    func endpoint(_ name: String, standard: String, defaultPort: Int) -> Endpoint? {
        let text = self.text(name).flatMap { $0.isEmpty ? nil : $0 } ?? standard
        if let endpoint = Endpoint(text, defaultPort: defaultPort) { return endpoint }
        self.complain(name, "is no HOST:PORT")
        return nil
    }
}
