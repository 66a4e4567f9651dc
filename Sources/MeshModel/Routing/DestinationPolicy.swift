/// How requests are spread over endpoints (DestinationRule `loadBalancer.simple`).
package enum LoadBalancing: Hashable, Sendable {
    case roundRobin, leastRequest, random
    /// To the address that the application dialled.
    case passthrough
}

/// The part of a DestinationRule that applies to one destination.
package struct TrafficPolicy: Hashable, Sendable {
    package var loadBalancing: LoadBalancing?
    package var connectTimeout: Duration?
    package var tcpIdleTimeout: Duration?
    package var httpIdleTimeout: Duration?
    package var connectionsMax: UInt32?
    package var pendingRequestsMax: UInt32?
    package var requestsMax: UInt32?
    package var requestsPerConnectionMax: UInt32?
    /// Replaces, not overlays, the rest for that port (facts #40).
    package var ports: [Port: TrafficPolicy] = [:]

    package init() {}
}

/// A DestinationRule, parsed and resolved.
package struct DestinationPolicy: Hashable, Sendable {
    package struct Subset: Hashable, Sendable {
        package var name: String
        package var labels: [String: String]
        package var policy: TrafficPolicy?

        package init(name: String, labels: [String: String], policy: TrafficPolicy? = nil) {
            self.name = name
            self.labels = labels
            self.policy = policy
        }
    }

    package var source: ObjectReference
    package var createdAt: Int64
    package var host: HostName
    package var visibility: Visibility
    package var policy: TrafficPolicy
    package var subsets: [Subset]

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        host: HostName,
        visibility: Visibility = .everyone,
        policy: TrafficPolicy = TrafficPolicy(),
        subsets: [Subset] = []
    ) {
        self.source = source
        self.createdAt = createdAt
        self.host = host
        self.visibility = visibility
        self.policy = policy
        self.subsets = subsets
    }
}
