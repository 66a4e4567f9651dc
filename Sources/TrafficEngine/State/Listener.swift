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
    /// Destination ports whose connections are not looked at for HTTP or TLS: their first bytes may never come.
    package let uninspectedByHTTP: PortCondition?
    package let uninspectedByTLS: PortCondition?
    /// What the workload's own connections are held to; `nil`: nothing.
    package let dnsBoundEgress: DNSBoundEgress?

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
        restoresDestination: Bool = false,
        uninspectedByHTTP: PortCondition? = nil,
        uninspectedByTLS: PortCondition? = nil,
        dnsBoundEgress: DNSBoundEgress? = nil
    ) {
        self.dnsBoundEgress = dnsBoundEgress
        self.uninspectedByHTTP = uninspectedByHTTP
        self.uninspectedByTLS = uninspectedByTLS
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

/// A condition on a destination port.
package enum PortCondition: Hashable, Sendable {
    case any([PortCondition])
    case all([PortCondition])
    indirect case not(PortCondition)
    /// Without `to`.
    case range(from: Int, to: Int)

    package func holds(_ port: UInt16) -> Bool {
        switch self {
        case .any(let conditions): conditions.contains { $0.holds(port) }
        case .all(let conditions): conditions.allSatisfy { $0.holds(port) }
        case .not(let condition): !condition.holds(port)
        case .range(let from, let to): from <= Int(port) && Int(port) < to
        }
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
    /// TLS is taken off before `terminal`; `nil`: bytes as they come.
    package let tls: ServerTLS?
    /// Asked when a connection (and, with TLS, its peer) is known; before `terminal`.
    package let connectionPolicies: [ConnectionPolicy]
    package let terminal: Terminal

    package init(
        name: String,
        match: FilterChainMatch = FilterChainMatch(),
        tls: ServerTLS? = nil,
        connectionPolicies: [ConnectionPolicy] = [],
        terminal: Terminal
    ) {
        self.name = name
        self.match = match
        self.tls = tls
        self.connectionPolicies = connectionPolicies
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
    package let codec: HTTPCodec
    package let http2: HTTP2Settings
    /// What becomes of `x-forwarded-client-cert`.
    package let clientCertificateHeader: ClientCertificateHeader
    /// Trusted proxies in front, for the client's address out of `x-forwarded-for`.
    package let trustedHops: Int
    /// Policies, routes and endpoints see the path normalized (Envoy `normalize_path`).
    package let normalizesPath: Bool
    /// What `x-envoy-expected-rq-timeout-ms` says limits a request (Envoy `respect_expected_rq_timeout`).
    package let respectsExpectedTimeout: Bool
    /// Asked in order before a route is looked for; see `HTTPPolicy`.
    package let policies: [HTTPPolicy]
    /// The policy engine: asked when it is known where a request goes, and told what became of it; `nil`: it is not.
    package let mixer: MixerPolicy?

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
        accessLogs: [AccessLogConfiguration] = [],
        codec: HTTPCodec = .automatic,
        http2: HTTP2Settings = HTTP2Settings(),
        clientCertificateHeader: ClientCertificateHeader = ClientCertificateHeader(),
        trustedHops: Int = 0,
        normalizesPath: Bool = false,
        respectsExpectedTimeout: Bool = false,
        policies: [HTTPPolicy] = [],
        mixer: MixerPolicy? = nil
    ) {
        self.mixer = mixer
        self.normalizesPath = normalizesPath
        self.respectsExpectedTimeout = respectsExpectedTimeout
        self.codec = codec
        self.http2 = http2
        self.clientCertificateHeader = clientCertificateHeader
        self.trustedHops = trustedHops
        self.policies = policies
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

/// Which versions of HTTP a chain speaks.
package enum HTTPCodec: Hashable, Sendable {
    /// By ALPN, else by the connection's first bytes (RFC 9113 section 3.4).
    case automatic
    case http1, http2
}

/// Limits of HTTP/2 (RFC 9113 section 6.5.2) and of what a peer may make us do.
package struct HTTP2Settings: Hashable, Sendable {
    package var concurrentStreamsMax: UInt32 = 100
    package var streamWindow: UInt32 = 256 * 1024
    package var connectionWindow: UInt32 = 1024 * 1024
    package var allowsConnect = false

    package init() {}
}

/// What becomes of `x-forwarded-client-cert` (Envoy `forward_client_cert_details`).
package struct ClientCertificateHeader: Hashable, Sendable {
    package enum Mode: Hashable, Sendable { case sanitize, forwardOnly, appendForward, sanitizeSet, alwaysForwardOnly }

    package var mode = Mode.sanitize
    package var addsSubject = false
    package var addsCertificate = false
    package var addsChain = false
    package var addsDNS = false
    package var addsURI = false

    package init() {}
}

/// Settings of byte forwarding on a chain.
package final class TCPProxy: Sendable {
    package let statPrefix: String
    /// One entry, or several with weights that add up to more than 0.
    package let clusters: [WeightedCluster]
    /// No byte either way for so long closes both sides; `nil`: never.
    package let idleTimeout: Duration?
    package let accessLogs: [AccessLogConfiguration]
    /// The cluster is the one that the server name spells, if there is one (Envoy's `sni_cluster` filter in front).
    package let usesServerNameAsCluster: Bool
    /// The policy engine: asked before an endpoint is connected to, and told how the connection goes on; `nil`: it is not.
    package let mixer: MixerPolicy?

    package init(
        statPrefix: String,
        clusters: [WeightedCluster],
        idleTimeout: Duration? = .seconds(3600),
        accessLogs: [AccessLogConfiguration] = [],
        usesServerNameAsCluster: Bool = false,
        mixer: MixerPolicy? = nil
    ) {
        self.mixer = mixer
        self.usesServerNameAsCluster = usesServerNameAsCluster
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
    package let requestHeaders: HeaderEdits
    package let responseHeaders: HeaderEdits
    /// Lines of the proxy that these edits speak of; worked out once, so that no request compares names.
    package let requestLines: ProxyLines
    package let responseLines: ProxyLines

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
        self.requestLines = requestHeaders.proxyLines
        self.responseLines = responseHeaders.proxyLines
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
