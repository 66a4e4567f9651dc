package import MeshModel

/// Where connections come in and what becomes of them.
package final class Listener: Sendable {
    package let name: String
    package let address: NetworkAddress
    /// `false`: never bound, reached only by original destination from a listener that `usesOriginalDestination`.
    package let isBound: Bool
    /// Hand each connection to the listener of its original destination: exact address and port, else
    /// `0.0.0.0` / `::` and port, else keep it here (Envoy `use_original_dst`).
    package let usesOriginalDestination: Bool
    /// First match by Envoy's order of criteria: destination port, destination prefix (longest), server name,
    /// transport protocol, application protocols, source.
    package let chains: [FilterChain]
    package let defaultChain: FilterChain?
    /// Look at the first bytes to fill `applicationProtocols` (`http/1.1`) before a chain is chosen.
    package let inspectsHTTP: Bool
    package let inspectsTLS: Bool
    /// How long inspection may wait; `nil`: for ever. When it ends the connection goes on with what is known.
    package let inspectionTimeout: Duration?
    package let isInbound: Bool
    /// Learn from the kernel where a redirected connection was going (Envoy's `original_dst` listener filter). Always
    /// true with `usesOriginalDestination`; alone it only fills in the destination that chains and clusters look at.
    package let restoresDestination: Bool

    package init(
        name: String,
        address: NetworkAddress,
        isBound: Bool = true,
        usesOriginalDestination: Bool = false,
        chains: [FilterChain],
        defaultChain: FilterChain? = nil,
        inspectsHTTP: Bool = false,
        inspectsTLS: Bool = false,
        inspectionTimeout: Duration? = nil,
        isInbound: Bool = false,
        restoresDestination: Bool = false
    ) {
        self.name = name
        self.address = address
        self.isBound = isBound
        self.usesOriginalDestination = usesOriginalDestination
        self.chains = chains
        self.defaultChain = defaultChain
        self.inspectsHTTP = inspectsHTTP
        self.inspectsTLS = inspectsTLS
        self.inspectionTimeout = inspectionTimeout
        self.isInbound = isInbound
        self.restoresDestination = restoresDestination || usesOriginalDestination
    }
}

/// What a connection must be like to enter a chain; what is empty or `nil` is not asked.
package struct FilterChainMatch: Hashable, Sendable {
    package var destinationPort: UInt16?
    package var destinationPrefixes: [CIDR] = []
    package var sourcePrefixes: [CIDR] = []
    /// Lower case; `*.x` allowed.
    package var serverNames: [String] = []
    /// `tls` or `raw_buffer`.
    package var transportProtocol: String?
    package var applicationProtocols: [String] = []

    package init() {}
}

/// A way through the proxy.
package final class FilterChain: Sendable {
    package enum Terminal: Sendable {
        case http(HTTPConnectionManager)
        case tcp(TCPProxy)
    }

    package let name: String
    package let match: FilterChainMatch
    package let terminal: Terminal

    package init(name: String, match: FilterChainMatch = FilterChainMatch(), terminal: Terminal) {
        self.name = name
        self.match = match
        self.terminal = terminal
    }
}

/// Settings of HTTP on a chain.
package final class HTTPConnectionManager: Sendable {
    package enum Routes: Sendable {
        case inline(RouteTable)
        /// Looked up in `ProxyState.routeTables` for each request; absent: 404 `NR`.
        case named(String)
    }

    package let statPrefix: String
    package let routes: Routes
    /// A downstream connection without a request for so long is closed; `nil`: never.
    package let idleTimeout: Duration?
    /// A request's head must be complete in this time, else 408 and close; `nil`: no limit.
    package let requestHeadTimeout: Duration?
    /// A stream without a byte for so long ends with 504/`SI`; `nil`: never.
    package let streamIdleTimeout: Duration?
    /// A larger head gets 431.
    package let headBytesMax: Int
    /// Set `x-forwarded-proto` and `x-request-id` where they are missing.
    package let addsForwardingHeaders: Bool
    /// Append the peer's address to `x-forwarded-for` (Envoy `use_remote_address`): at the edge of a mesh only.
    package let appendsPeerAddress: Bool
    package let allowsUpgrade: Bool
    package let accessLogs: [AccessLogConfiguration]

    package init(
        statPrefix: String,
        routes: Routes,
        idleTimeout: Duration? = .seconds(3600),
        requestHeadTimeout: Duration? = .seconds(10),
        streamIdleTimeout: Duration? = .seconds(300),
        headBytesMax: Int = 60 * 1024,
        addsForwardingHeaders: Bool = true,
        appendsPeerAddress: Bool = false,
        allowsUpgrade: Bool = false,
        accessLogs: [AccessLogConfiguration] = []
    ) {
        self.statPrefix = statPrefix
        self.routes = routes
        self.idleTimeout = idleTimeout
        self.requestHeadTimeout = requestHeadTimeout
        self.streamIdleTimeout = streamIdleTimeout
        self.headBytesMax = headBytesMax
        self.addsForwardingHeaders = addsForwardingHeaders
        self.appendsPeerAddress = appendsPeerAddress
        self.allowsUpgrade = allowsUpgrade
        self.accessLogs = accessLogs
    }
}

/// Settings of byte forwarding on a chain.
package final class TCPProxy: Sendable {
    package let statPrefix: String
    /// One entry, or several with weights that add up to more than 0.
    package let clusters: [WeightedCluster]
    /// No byte either way for so long closes both sides; `nil`: never.
    package let idleTimeout: Duration?
    package let accessLogs: [AccessLogConfiguration]

    package init(
        statPrefix: String,
        clusters: [WeightedCluster],
        idleTimeout: Duration? = .seconds(3600),
        accessLogs: [AccessLogConfiguration] = []
    ) {
        self.statPrefix = statPrefix
        self.clusters = clusters
        self.idleTimeout = idleTimeout
        self.accessLogs = accessLogs
    }
}

/// A cluster and its share.
package struct WeightedCluster: Hashable, Sendable {
    package var cluster: ClusterID
    /// The cluster's name, kept so that a cluster that never came can be named in a log.
    package var name: String
    package var weight: UInt32
    package var requestHeaders: HeaderEdits
    package var responseHeaders: HeaderEdits

    package init(
        cluster: ClusterID,
        name: String,
        weight: UInt32 = 1,
        requestHeaders: HeaderEdits = HeaderEdits(),
        responseHeaders: HeaderEdits = HeaderEdits()
    ) {
        self.cluster = cluster
        self.name = name
        self.weight = weight
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
    }
}

/// Where access lines go and what they look like.
package struct AccessLogConfiguration: Hashable, Sendable {
    /// `/dev/stdout`, `/dev/stderr` or a file that is appended to.
    package var path: String
    /// Envoy's format string; empty: the default line.
    package var format: String

    package init(path: String, format: String = "") {
        self.path = path
        self.format = format
    }
}
