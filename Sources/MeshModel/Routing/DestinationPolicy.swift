/// How requests are spread over endpoints (DestinationRule `loadBalancer.simple`).
package enum LoadBalancing: Hashable, Sendable {
    case roundRobin, leastRequest, random
    /// To the address that the application dialled.
    case passthrough
    /// The same key goes to the same endpoint as long as it is there.
    case consistentHash(ConsistentHash)
}

/// What requests are spread by, and on what (DestinationRule `loadBalancer.consistentHash`).
package struct ConsistentHash: Hashable, Sendable {
    package enum Key: Hashable, Sendable {
        case header(String)
        /// A cookie that is made, with this life, if the request has none.
        case cookie(name: String, path: String, ttl: Duration?)
        case sourceAddress
        case queryParameter(String)
    }

    package enum Algorithm: Hashable, Sendable {
        case ring(sizeMin: UInt64)
        case maglev(tableSize: UInt64)
    }

    package var key: Key
    package var algorithm: Algorithm

    package init(key: Key, algorithm: Algorithm = .ring(sizeMin: 1024)) {
        self.key = key
        self.algorithm = algorithm
    }
}

/// When an endpoint that fails is left out for a while (DestinationRule `outlierDetection`).
package struct OutlierDetection: Hashable, Sendable {
    /// 0: not looked at; `nil`: 5.
    package var consecutive5xxErrors: UInt32?
    /// 0 or `nil`: not looked at.
    package var consecutiveGatewayErrors: UInt32?
    package var consecutiveLocalOriginFailures: UInt32?
    package var splitsLocalOriginErrors = false
    package var interval: Duration = .seconds(10)
    package var baseEjectionTime: Duration = .seconds(30)
    package var ejectionPercentMax: UInt32 = 10
    /// Below this share of healthy endpoints all are used again; 0: never.
    package var healthyPercentMin: UInt32 = 0

    package init() {}
}

/// Where endpoints are, and who is preferred (DestinationRule `loadBalancer.localityLbSetting`).
package struct LocalityPolicy: Hashable, Sendable {
    package struct Distribution: Hashable, Sendable {
        /// `region/zone/subzone`, parts may be `*`.
        package var from: String
        /// Percent by locality; they add up to 100.
        package var to: [String: UInt32]

        package init(from: String, to: [String: UInt32]) {
            self.from = from
            self.to = to
        }
    }

    package struct FailOver: Hashable, Sendable {
        package var from: String
        package var to: String

        package init(from: String, to: String) {
            self.from = from
            self.to = to
        }
    }

    package var isEnabled = true
    package var distributions: [Distribution] = []
    package var failOvers: [FailOver] = []
    package var failOverLabels: [String] = []

    package init() {}
}

/// `region/zone/subzone` of an endpoint or a proxy; empty parts are unknown.
package struct Locality: Hashable, Sendable, CustomStringConvertible {
    package var region: String
    package var zone: String
    package var subzone: String

    package init(region: String = "", zone: String = "", subzone: String = "") {
        self.region = region
        self.zone = zone
        self.subzone = subzone
    }

    package var isEmpty: Bool { self.region.isEmpty }
    package var description: String { "\(self.region)/\(self.zone)/\(self.subzone)" }
}

/// Retries as a share of what is in flight; goes before `retriesMax`.
package struct RetryBudget: Hashable, Sendable {
    /// Of requests that are in flight or wait, 0 to 100.
    package var percent: Double
    /// So many at once are allowed in any case.
    package var concurrencyMin: UInt32

    package init(percent: Double = 20, concurrencyMin: UInt32 = 3) {
        self.percent = percent
        self.concurrencyMin = concurrencyMin
    }

    /// Whether one more request may be tried again.
    ///
    /// - Parameters:
    ///   - retries: that are under way.
    ///   - requests: that are in flight or wait, tried again or not.
    /// - Returns: whether the budget has room for it.
    package func allowsAnother(besides retries: Int, requests: Int) -> Bool {
        retries < max(Int(self.percent / 100 * Double(requests)), Int(self.concurrencyMin))
    }
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
    package var retriesMax: UInt32?
    package var retryBudget: RetryBudget?
    /// `nil`: automatic between sidecars, plain text elsewhere.
    package var tls: ClientTLSSettings?
    package var outlierDetection: OutlierDetection?
    package var locality: LocalityPolicy?
    /// Speak HTTP/2 to endpoints although the port says HTTP (`h2UpgradePolicy: UPGRADE`).
    package var upgradesToHTTP2: Bool?
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
