/// The policy engine (Mixer) that proxies ask about requests and tell what has happened (facts 1f).
package struct PolicyEngineSettings: Hashable, Sendable {
    /// A service of the mesh.
    package struct Server: Hashable, Sendable {
        package var host: HostName
        package var port: Port

        package init(host: HostName, port: Port) {
            self.host = host
            self.port = port
        }
    }

    /// `nil`: proxies ask nobody.
    package var checkServer: Server?
    /// `nil`: proxies tell nobody.
    package var reportServer: Server?
    /// Requests pass while the engine cannot be asked.
    package var failsOpen = false
    /// How long proxies wait for an answer; as Istio's do, unless an adapter holds answers longer.
    package var checkTimeout = Duration.seconds(5)
    /// Sidecars ask about what their own workload sends, too (`enableClientSidePolicyCheck`). Gateways always ask.
    package var checksClients = false

    package init() {}

    package var isOff: Bool { self.checkServer == nil && self.reportServer == nil }
}

/// What the annotation `policy.istio.io/check` of a pod says.
package enum PolicyCheckChoice: String, Hashable, Sendable {
    case enable
    case disable
    /// Requests pass while the engine cannot be asked, whatever the mesh says.
    case allowOnError = "allow-on-error"
}

/// Quotas of some services: a QuotaSpecBinding with the QuotaSpecs that it names.
package struct QuotaBinding: Hashable, Sendable {
    /// Requests and what they are charged.
    package struct Rule: Hashable, Sendable {
        /// Attributes by name; all must hold.
        package typealias Match = [String: StringMatch]

        /// One must hold; none: all requests.
        package var matches: [Match]
        /// Amounts by quota.
        package var charges: [String: Int64]

        package init(matches: [Match], charges: [String: Int64]) {
            self.matches = matches
            self.charges = charges
        }
    }

    package var source: ObjectReference
    /// Unix time.
    package var createdAt: Int64
    /// `*` stands for all.
    package var hosts: [HostName]
    package var rules: [Rule]

    package init(source: ObjectReference, createdAt: Int64, hosts: [HostName], rules: [Rule]) {
        self.source = source
        self.createdAt = createdAt
        self.hosts = hosts
        self.rules = rules
    }
}
