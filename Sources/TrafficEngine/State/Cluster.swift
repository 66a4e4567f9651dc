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

    package enum Balancing: Hashable, Sendable { case roundRobin, leastRequest, random }

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
    /// Upstream requests are HTTP/2; HTTP/1.1 otherwise.
    package let usesHTTP2: Bool

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
        usesHTTP2: Bool = false
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
        self.usesHTTP2 = usesHTTP2
    }
}

/// An address that requests may be sent to.
package struct ClusterEndpoint: Hashable, Sendable {
    package var address: NetworkAddress
    package var weight: UInt32
    package var isHealthy: Bool

    package init(address: NetworkAddress, weight: UInt32 = 1, isHealthy: Bool = true) {
        self.address = address
        self.weight = weight
        self.isHealthy = isHealthy
    }
}

/// A name that stands for addresses.
package struct DNSEndpoint: Hashable, Sendable {
    package var host: String
    package var port: UInt16
    package var weight: UInt32

    package init(host: String, port: UInt16, weight: UInt32 = 1) {
        self.host = host
        self.port = port
        self.weight = weight
    }
}

/// Bounds on what a cluster may have under way (Envoy `circuit_breakers`, priority default).
package struct ClusterLimits: Hashable, Sendable {
    package var connectionsMax: UInt32 = .max
    package var pendingRequestsMax: UInt32 = .max
    package var requestsMax: UInt32 = .max
    package var retriesMax: UInt32 = .max
    /// 0: any number.
    package var requestsPerConnectionMax: UInt32 = 0

    package init() {}
}
