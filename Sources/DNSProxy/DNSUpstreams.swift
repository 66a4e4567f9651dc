package import MeshModel

/// Another server to ask.
package struct DNSUpstream: Hashable, Sendable, CustomStringConvertible {
    package var address: IPAddress
    package var port: UInt16
    /// The interface of a link-local address.
    package var zone: String?

    package init(address: IPAddress, port: UInt16 = 53, zone: String? = nil) {
        self.address = address
        self.port = port
        self.zone = zone
    }

    package var description: String {
        switch self.address {
        case .v4: "\(self.address):\(self.port)"
        case .v6: "[\(self.address)\(self.zone.map { "%" + $0 } ?? "")]:\(self.port)"
        }
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
    /// The longest time for a question: below the five seconds after which clients ask again (facts #18).
    package var budget: Duration

    package init(
        servers: [DNSUpstream] = [],
        attempts: Int = 2,
        timeout: Duration = .seconds(2),
        rotates: Bool = false,
        budget: Duration = .milliseconds(4500)
    ) {
        self.servers = servers
        self.attempts = attempts
        self.timeout = timeout
        self.rotates = rotates
        self.budget = budget
    }

    /// The servers of `resolv.conf`, without our own addresses: asking ourselves would never end (facts #15).
    package init(_ file: ResolvConf, without own: Set<DNSUpstream> = []) {
        self.init(
            servers: file.nameservers.map { DNSUpstream(address: $0.address, zone: $0.zone) }
                .filter { !own.contains($0) },
            attempts: file.attempts,
            timeout: file.timeout,
            rotates: file.rotates
        )
    }

    /// How long one try may take so that all of them fit into the budget.
    package var tryTimeout: Duration {
        let tries = max(self.servers.count * self.attempts, 1)
        return min(self.timeout, self.budget / tries)
    }
}
