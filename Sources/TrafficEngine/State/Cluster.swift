package import MeshModel

/// A destination: its endpoints and how they are used.
package final class Cluster: Sendable {
    package enum Discovery: Hashable, Sendable {
        /// Endpoints stand here (EDS, STATIC); the list may be empty.
        case endpoints([ClusterEndpoint])
        /// Names to look up; `keepsOne` uses one address of the answer at a time (LOGICAL_DNS).
        case dns([DNSEndpoint], keepsOne: Bool, refresh: Duration)
        /// Connect to where the client wanted to go (ORIGINAL_DST).
        case originalDestination
    }

    package enum Balancing: Hashable, Sendable {
        case roundRobin, leastRequest, random
        /// By hash on a ring, or on Maglev's table; what is hashed stands in the route (`ForwardAction.hashKeys`).
        case ring(sizeMin: Int, sizeMax: Int)
        case maglev(tableSize: Int)
    }

    /// What is spoken to endpoints.
    package enum HTTPVersion: Hashable, Sendable {
        case http1, http2
        /// What ALPN settles; HTTP/1.1 if it settles nothing.
        case negotiated
        /// What the client spoke.
        case asDownstream
    }

    package let id: ClusterID
    package let name: String
    /// Another name for statistics (Envoy `alt_stat_name`); else `name`.
    package let statName: String
    package let discovery: Discovery
    package let balancing: Balancing
    package let connectTimeout: Duration
    package let limits: ClusterLimits
    /// Idle upstream connections are closed after so long.
    package let idleTimeout: Duration?
    /// Bind upstream connections to this address (inbound passthrough: `127.0.0.6`).
    package let sourceAddress: IPAddress?
    package let httpVersion: HTTPVersion
    /// How connections are secured; an endpoint names one by index. Never empty; `nil`: plain.
    package let transports: [ClientTLS?]
    package let outlierDetection: OutlierPolicy?
    /// Below this percentage of healthy endpoints all are used; 0: never.
    package let panicThreshold: Double
    package let http2: HTTP2Settings
    /// Use a locality's weight (Envoy `locality_weighted_lb_config`).
    package let weighsLocalities: Bool
    /// Requests wait here while there is no endpoint, or all have as many as they take; `nil`: they do not.
    package let activation: RevisionActivation?
    /// What the policy engine is told of the service behind it; `nil`: the engine is not asked, or there is none.
    package let service: MixerService?
    /// What comes from its endpoints has been reported to the autoscaler by them.
    package let isReporter: Bool

    package init(
        id: ClusterID,
        name: String,
        statName: String? = nil,
        discovery: Discovery,
        balancing: Balancing = .leastRequest,
        connectTimeout: Duration = .seconds(5),
        limits: ClusterLimits = ClusterLimits(),
        idleTimeout: Duration? = .seconds(3600),
        sourceAddress: IPAddress? = nil,
        httpVersion: HTTPVersion = .http1,
        transports: [ClientTLS?] = [nil],
        outlierDetection: OutlierPolicy? = nil,
        panicThreshold: Double = 50,
        http2: HTTP2Settings = HTTP2Settings(),
        weighsLocalities: Bool = false,
        activation: RevisionActivation? = nil,
        service: MixerService? = nil,
        isReporter: Bool = false
    ) {
        self.id = id
        self.name = name
        self.statName = statName ?? name
        self.discovery = discovery
        self.balancing = balancing
        self.connectTimeout = connectTimeout
        self.limits = limits
        self.idleTimeout = idleTimeout
        self.sourceAddress = sourceAddress
        self.httpVersion = httpVersion
        self.transports = transports.isEmpty ? [nil] : transports
        self.outlierDetection = outlierDetection
        self.panicThreshold = panicThreshold
        self.http2 = http2
        self.weighsLocalities = weighsLocalities
        self.activation = activation
        self.service = service
        self.isReporter = isReporter
    }
}

/// An address that requests may be sent to.
package struct ClusterEndpoint: Hashable, Sendable {
    package var address: NetworkAddress
    package var weight: UInt32
    package var isHealthy: Bool
    /// Index into the cluster's `transports`.
    package var transport: Int
    /// 0 is used first; the next where too few of it are healthy.
    package var priority: UInt32
    /// Index of its locality within the cluster, and that locality's weight (0: none given).
    package var locality: Int
    package var localityWeight: UInt32
    /// The name that a DNS answer came from, for logs and for verification by host name.
    package var hostname: String?

    package init(
        address: NetworkAddress,
        weight: UInt32 = 1,
        isHealthy: Bool = true,
        transport: Int = 0,
        priority: UInt32 = 0,
        locality: Int = 0,
        localityWeight: UInt32 = 0,
        hostname: String? = nil
    ) {
        self.address = address
        self.weight = weight
        self.isHealthy = isHealthy
        self.transport = transport
        self.priority = priority
        self.locality = locality
        self.localityWeight = localityWeight
        self.hostname = hostname
    }
}

/// A name that stands for addresses.
package struct DNSEndpoint: Hashable, Sendable {
    package var host: String
    package var port: UInt16
    package var weight: UInt32
    package var transport: Int
    package var priority: UInt32
    package var locality: Int
    package var localityWeight: UInt32

    package init(
        host: String,
        port: UInt16,
        weight: UInt32 = 1,
        transport: Int = 0,
        priority: UInt32 = 0,
        locality: Int = 0,
        localityWeight: UInt32 = 0
    ) {
        self.host = host
        self.port = port
        self.weight = weight
        self.transport = transport
        self.priority = priority
        self.locality = locality
        self.localityWeight = localityWeight
    }
}

/// Bounds on what a cluster may have under way (Envoy `circuit_breakers`, priority default).
package struct ClusterLimits: Hashable, Sendable {
    package var connectionsMax: UInt32 = .max
    package var pendingRequestsMax: UInt32 = .max
    package var requestsMax: UInt32 = .max
    package var retriesMax: UInt32 = .max
    /// Goes before `retriesMax`.
    package var retryBudget: RetryBudget?
    /// 0: any number.
    package var requestsPerConnectionMax: UInt32 = 0

    package init() {}
}

/// When an endpoint is left out for a while (Envoy `outlier_detection`, pruned to what counts failures in a row).
package struct OutlierPolicy: Hashable, Sendable {
    /// 0: not looked at.
    package var consecutive5xx: UInt32 = 5
    package var consecutiveGatewayFailures: UInt32 = 0
    package var consecutiveLocalOriginFailures: UInt32 = 0
    package var splitsLocalOriginErrors = false
    package var interval: Duration = .seconds(10)
    package var baseEjectionTime: Duration = .seconds(30)
    package var ejectionTimeMax: Duration = .seconds(300)
    package var ejectionPercentMax: UInt32 = 10

    package init() {}
}
