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

    /// On which side of the way the proxy stands (`context.reporter.kind`).
    package enum Side: Hashable, Sendable {
        /// In front of the workload: the request's host says which of its services is meant.
        case inbound
        /// At the client or a gateway: where the route leads says which service is meant.
        case outbound
    }

    package let side: Side
    /// Asked whether a request may pass; `nil`: nobody is.
    package let checkServer: Server?
    /// Told what became of a request; `nil`: nobody is.
    package let reportServer: Server?
    /// Requests pass while the engine cannot be asked.
    package let failsOpen: Bool
    /// For an answer, further attempts included. The route's timeout may end a request earlier.
    package let checkTimeout: Duration
    /// Attributes that are the same for all requests, by name: whose traffic it is, and who says so.
    package let attributes: [String: MixerValue]
    /// What proxies of the mesh are told of the workload, as the value of a header (`ForwardedAttributes`); empty: nothing.
    package let forwarded: [UInt8]
    /// The same as a line of a head, made once.
    package let forwardedLine: [UInt8]
    /// Between two reports of a connection that goes on.
    package let reportInterval: Duration
    /// What holds for some services; inbound they are those that lead to the port, the oldest first.
    package let services: [MixerServiceRules]
    /// The values of `attributes` as keys of caches have them.
    let keys: [String: [UInt8]]

    /// As Istio's proxies wait.
    package static let checkTimeoutUnsaid = Duration.seconds(5)

    package init(
        side: Side = .inbound,
        checkServer: Server?,
        reportServer: Server?,
        failsOpen: Bool,
        checkTimeout: Duration = MixerPolicy.checkTimeoutUnsaid,
        attributes: [String: MixerValue] = [:],
        services: [MixerServiceRules] = [],
        forwarded: [UInt8] = [],
        reportInterval: Duration = .seconds(10)
    ) {
        self.checkTimeout = checkTimeout
        self.reportInterval = reportInterval
        self.forwarded = forwarded
        self.forwardedLine =
            forwarded.isEmpty
            ? [] : ForwardedAttributes.header + Array(": ".utf8) + forwarded + Array("\r\n".utf8)
        self.side = side
        self.checkServer = checkServer
        self.reportServer = reportServer
        self.failsOpen = failsOpen
        self.attributes = attributes
        self.services = services
        self.keys = attributes.mapValues(\.keyBytes)
    }
}
