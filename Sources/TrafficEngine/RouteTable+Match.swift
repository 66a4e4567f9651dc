/// Host name to virtual host.
package struct HostIndex: Sendable {
    package init(_ virtualHosts: [VirtualHost]) {}
}

/// A compiled regular expression on bytes (the common part of RE2).
package struct Pattern: Sendable {
    package init?(_ source: String) {}
}

extension RouteTable {
    /// The route that a request takes; `nil`: none matches.
    package func route(_ request: RequestView) -> Route? { nil }
}
