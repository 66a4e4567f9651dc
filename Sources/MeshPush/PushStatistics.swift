/// Counters of the push server, added up since its start.
package struct PushStatistics: Sendable, Equatable {
    /// Upper bounds, in seconds, of the buckets of convergence times.
    package static let convergenceBounds: [Double] = [0.01, 0.025, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30]

    package var proxiesConnected = 0
    /// Responses sent, by kind.
    package var pushes: [ResourceKind: UInt64] = [:]
    /// Responses that proxies refused, by kind.
    package var refusals: [ResourceKind: UInt64] = [:]
    /// Generations that were published.
    package var generations: UInt64 = 0
    /// From the publication of a generation to a proxy's acceptance: one counter for each bound, not cumulative,
    /// and a last one for all above.
    package var convergenceCounts = [UInt64](repeating: 0, count: Self.convergenceBounds.count + 1)
    package var convergenceSeconds = 0.0

    package init() {}

    mutating func converged(after duration: Duration) {
        let parts = duration.components
        let seconds = Double(parts.seconds) + Double(parts.attoseconds) / 1e18
        let bucket = Self.convergenceBounds.firstIndex { seconds <= $0 } ?? Self.convergenceBounds.count
        self.convergenceCounts[bucket] += 1
        self.convergenceSeconds += seconds
    }
}

/// How far one proxy has come.
package struct ProxyStatus: Sendable, Codable, Hashable {
    package struct Kind: Sendable, Codable, Hashable {
        package var state: SubscriptionMachine.Progress.State
        package var versionSent: String
        package var versionAccepted: String
        /// Why the proxy would not take the last response.
        package var refusal: String?
    }

    /// `POD.NAMESPACE`.
    package var proxy: String
    package var address: String
    /// What the proxy says it is, `lateen-proxy/0.1` or `envoy/1.40`.
    package var userAgent: String
    /// By `CDS`, `EDS`, `LDS`, `RDS`, `SDS`, `NDS`; what is missing was never asked for.
    package var kinds: [String: Kind]

    init(proxy: String, address: String, userAgent: String, progress: [ResourceKind: SubscriptionMachine.Progress]) {
        self.proxy = proxy
        self.address = address
        self.userAgent = userAgent
        self.kinds = Dictionary(
            uniqueKeysWithValues: progress.map { kind, progress in
                (
                    kind.rawValue,
                    Kind(
                        state: progress.state,
                        versionSent: progress.versionSent,
                        versionAccepted: progress.versionAccepted,
                        refusal: progress.refusal?.message
                    )
                )
            }
        )
    }
}
