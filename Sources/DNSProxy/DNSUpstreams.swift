package import MeshModel

/// Another server to ask.
package struct DNSUpstream: Hashable, Sendable, CustomStringConvertible {
    package var address: IPAddress
    package var port: UInt16
    /// The interface of a link-local address.
    package var zone: String?
    /// It is asked over TLS (RFC 7858), and its certificate must be for this name or address.
    package var tlsName: String?

    package static let port: UInt16 = 53
    package static let tlsPort: UInt16 = 853

    package init(address: IPAddress, port: UInt16 = DNSUpstream.port, zone: String? = nil, tlsName: String? = nil) {
        self.address = address
        self.port = port
        self.zone = zone
        self.tlsName = tlsName
    }

    /// Reads `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT` or, for TLS, `tls://ADDRESS[:PORT][#NAME]`; an IPv6 address
    /// may carry its interface behind a `%`. Without a name the certificate must be for the address.
    package init?(_ text: String) {
        var rest = text[...]
        let isTLS = rest.hasPrefix("tls://")
        if isTLS { rest = rest.dropFirst(6) }
        var name: String?
        if let mark = rest.firstIndex(of: "#") {
            name = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
            guard isTLS, name?.isEmpty == false else { return nil }
        }
        var port: Substring?
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { return nil }
            let behind = rest[rest.index(after: close)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return nil }
            if !behind.isEmpty { port = behind.dropFirst() }
            rest = rest[rest.index(after: rest.startIndex)..<close]
        } else if let colon = rest.firstIndex(of: ":"), colon == rest.lastIndex(of: ":") {
            port = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
        }
        let parts = rest.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        var number = isTLS ? Self.tlsPort : Self.port
        if let port {
            guard let given = UInt16(port) else { return nil }
            number = given
        }
        if parts.count > 1, parts[1].isEmpty { return nil }
        self.init(
            address: address,
            port: number,
            zone: parts.count > 1 ? String(parts[1]) : nil,
            tlsName: isTLS ? name ?? address.description : nil
        )
    }

    package var description: String {
        let place =
            switch self.address {
            case .v4: "\(self.address):\(self.port)"
            case .v6: "[\(self.address)\(self.zone.map { "%" + $0 } ?? "")]:\(self.port)"
            }
        return self.tlsName.map { "tls://\(place)#\($0)" } ?? place
    }
}

/// The servers to ask and how patiently.
package struct DNSUpstreams: Hashable, Sendable {
    package var servers: [DNSUpstream]
    /// How often each server is asked before a question is given up.
    package var attempts: Int
    /// The longest wait for one server before the next is asked as well.
    package var timeout: Duration
    /// Whether each question starts with another server.
    package var rotates: Bool
    /// Whether all servers are asked at once, and the first answer counts.
    package var isParallel: Bool
    /// The longest time for a question: below the five seconds after which clients ask again (facts #18).
    package var budget: Duration

    package init(
        servers: [DNSUpstream] = [],
        attempts: Int = 2,
        timeout: Duration = .seconds(2),
        rotates: Bool = false,
        isParallel: Bool = false,
        budget: Duration = .milliseconds(4500)
    ) {
        self.servers = servers
        self.attempts = attempts
        self.timeout = timeout
        self.rotates = rotates
        self.isParallel = isParallel
        self.budget = budget
    }

    /// The servers of `resolv.conf`, without our own addresses: asking ourselves would never end (facts #15).
    package init(_ file: ResolvConf, without own: Set<DNSUpstream> = [], isParallel: Bool = false) {
        self.init(
            servers: file.nameservers.map { DNSUpstream(address: $0.address, zone: $0.zone) }
                .filter { !own.contains($0) },
            attempts: file.attempts,
            timeout: file.timeout,
            rotates: file.rotates,
            isParallel: isParallel
        )
    }
}

/// How one question goes through the servers.
package struct UpstreamPlan: Hashable, Sendable {
    package struct Try: Hashable, Sendable {
        package var server: DNSUpstream
        /// After this the next server is asked as well.
        package var patience: Duration
        package var hasEDNS = true
        /// Whether the letters' case is chosen at random, so that only who saw the question can answer it.
        package var hasRandomCase = true
    }

    package var tries: [Try]
    /// Tries that begin at once.
    package var width: Int

    /// Servers that answer come first, in their order, as often as they may be asked; the dead ones come last, once,
    /// because the alternative is no answer at all.
    ///
    /// - Parameters:
    ///   - upstreams: the servers.
    ///   - health: what is known of them.
    ///   - first: with which server to begin, if they rotate.
    ///   - now: monotonic time.
    package init(_ upstreams: DNSUpstreams, _ health: UpstreamHealth, first: Int = 0, now: Duration) {
        let count = upstreams.servers.count
        let shift = upstreams.rotates && count > 0 ? first % count : 0
        let all = upstreams.servers[shift...] + upstreams.servers[..<shift]
        let alive = all.filter(health.isAlive)
        let attempts = max(upstreams.attempts, 1)
        let usable = alive.isEmpty ? Array(all) : Array(alive)
        var order = (0..<attempts).flatMap { _ in usable }
        if !alive.isEmpty { order += all.filter { !health.isAlive($0) } }
        let limit = min(upstreams.timeout, upstreams.budget / max(order.count, 1))
        self.tries = order.map { server in
            Try(
                server: server,
                patience: health.patience(server, max: limit),
                hasEDNS: !health.lacksEDNS(server, now: now),
                hasRandomCase: !health.losesCase(server, now: now)
            )
        }
        self.width = upstreams.isParallel ? max(usable.count, 1) : 1
    }

    /// Whether a server is alive is found out by asking it, once.
    package init(probe server: DNSUpstream) {
        self.tries = [Try(server: server, patience: .seconds(2), hasRandomCase: false)]
        self.width = 1
    }
}
