extension HTTPPolicy {
    /// It, if what becomes of requests is told to somebody.
    package var reporting: MixerPolicy? {
        switch self {
        case .mixer(let policy): policy.reportServer == nil ? nil : policy
        case .tokens, .external, .rules: nil
        }
    }
}

/// What a filter chain asks the policy engine (Mixer) and tells it: Istio's HTTP filter `mixer`.
package final class MixerPolicy: Sendable {
    /// A cluster that the engine is behind.
    package struct Server: Hashable, Sendable {
        package var cluster: ClusterID
        package var name: String

        package init(cluster: ClusterID, name: String) {
            self.cluster = cluster
            self.name = name
        }
    }

    /// Asked whether a request may pass; `nil`: nobody is.
    package let checkServer: Server?
    /// Told what became of a request; `nil`: nobody is.
    package let reportServer: Server?
    /// Requests pass while the engine cannot be asked.
    package let failsOpen: Bool
    /// Attributes that are the same for all requests, by name: whose traffic it is, and who says so.
    package let attributes: [String: MixerValue]
    /// What requests are charged for.
    package let quotas: [QuotaRule]
    /// The values of `attributes` as keys of caches have them.
    let keys: [String: [UInt8]]

    package init(
        checkServer: Server?,
        reportServer: Server?,
        failsOpen: Bool,
        attributes: [String: MixerValue] = [:],
        quotas: [QuotaRule] = []
    ) {
        self.checkServer = checkServer
        self.reportServer = reportServer
        self.failsOpen = failsOpen
        self.attributes = attributes
        self.quotas = quotas
        self.keys = attributes.mapValues(\.keyBytes)
    }
}
