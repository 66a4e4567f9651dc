package import MeshModel

/// What DNS-bound egress says about one connection of a workload: which names its DNS had given the address for.
package struct EgressGrant: Sendable {
    /// What is blocked is let through after all, and counted.
    package let isAudit: Bool
    private let address: IPAddress
    private let isLiteral: Bool
    private let isAllowed: Bool
    private let names: HostNames

    /// - Parameters:
    ///   - binding: the setting; its mode is not `off`.
    ///   - address: that was dialled.
    ///   - names: that the workload looked up to get it and that have not expired, in lower case.
    ///   - registry: what may be reached; `nil`: every name.
    package init(_ binding: DNSBoundEgress, to address: IPAddress, names: [String], registry: RegistryNames?) {
        self.isAudit = binding.mode == .audit
        self.address = address
        self.isLiteral = binding.literals.contains { $0.contains(address) }
        self.names = HostNames(names)
        self.isAllowed =
            !names.isEmpty && (registry.map { known in names.contains { known.hosts.contains($0) } } ?? true)
    }

    /// Whether the connection as such may be.
    ///
    /// - Parameter serverName: that its TLS hello asks for, in lower case.
    /// - Returns: what is wrong with it.
    package func connectionFault(serverName: String?) -> EndReason? {
        if self.isLiteral { return nil }
        guard self.isAllowed else { return .blockedUnresolvedAddress }
        if let serverName, !self.names.contains(serverName) { return .blockedUnresolvedName }
        return nil
    }

    /// Whether a request on the connection may be.
    ///
    /// - Parameters:
    ///   - authority: the host as it was received, with or without a port.
    ///   - service: the host of the service that the request would go to: short names of one service are one name.
    /// - Returns: what is wrong with it.
    package func requestFault(authority: [UInt8], service: String?) -> EndReason? {
        if self.isLiteral { return nil }
        guard self.isAllowed else { return .blockedUnresolvedAddress }
        let host = Self.hostOnly(authority)
        if self.names.contains(host) || IPAddress(host) == self.address { return nil }
        if let service, self.names.contains(service) { return nil }
        return .blockedUnresolvedName
    }

    /// In lower case, without port, brackets and the root's dot.
    private static func hostOnly(_ authority: [UInt8]) -> String {
        var host = authority.map(lowered)[...]
        if host.first == UInt8(ascii: "[") {
            host = host.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        } else if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            host = host[..<colon]
        }
        if host.last == UInt8(ascii: ".") { host = host.dropLast() }
        return String(decoding: host, as: UTF8.self)
    }
}

/// The hosts that a proxy knows of, as its clusters are named: `outbound|PORT|SUBSET|HOST`.
package struct RegistryNames: Sendable {
    let hosts: HostNames

    package init(_ clusters: [Cluster?]) {
        self.hosts = HostNames(
            clusters.compactMap { cluster in
                let parts = cluster?.name.split(separator: "|", omittingEmptySubsequences: false) ?? []
                return parts.count == 4 && parts[0] == "outbound" ? parts[3].lowercased() : nil
            }
        )
    }

    /// Whether a name, in lower case, is one of them or below a star.
    package func contains(_ name: String) -> Bool { self.hosts.contains(name) }
}

/// Names in lower case; `*.x` stands for all below `x`.
struct HostNames: Sendable {
    private var exact: Set<String> = []
    /// What stands behind `*.`
    private var wildcards: Set<String> = []

    init(_ names: [String]) {
        for name in names {
            // With its star it is a name of its own as well: another set may say the same of it.
            self.exact.insert(name)
            if name.hasPrefix("*.") { self.wildcards.insert(String(name.dropFirst(2))) }
        }
    }

    func contains(_ name: String) -> Bool {
        if self.exact.contains(name) { return true }
        guard !self.wildcards.isEmpty else { return false }
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if self.wildcards.contains(String(rest)) { return true }
        }
        return false
    }
}
