/// How a string is compared (Istio `StringMatch`).
package enum StringMatch: Hashable, Sendable {
    case exact(String)
    case prefix(String)
    /// RE2 syntax, must match the whole string.
    case regex(String)
}

/// One `match` block of an HTTP route; all that is set must hold.
package struct RequestMatch: Hashable, Sendable {
    package var name = ""
    package var path: StringMatch?
    package var isPathCaseInsensitive = false
    package var scheme: StringMatch?
    package var method: StringMatch?
    package var authority: StringMatch?
    /// Lower-case header names; `nil` asks for presence only.
    package var headers: [String: StringMatch?] = [:]
    package var headersAbsent: [String: StringMatch?] = [:]
    package var queryParameters: [String: StringMatch?] = [:]
    package var port: Port?
    package var sourceLabels: [String: String] = [:]
    package var sourceNamespace: String?
    /// Names of gateways that the match is for, `mesh` included; empty: those of the rule.
    package var gateways: [String] = []

    package init() {}
}

/// Header changes on the way (Istio `Headers.HeaderOperations`).
package struct HeaderOperations: Hashable, Sendable {
    package var set: [String: String] = [:]
    package var add: [String: String] = [:]
    package var remove: [String] = []

    package init() {}
}

/// A destination that a rule sends to.
package struct RouteDestination: Hashable, Sendable {
    /// Fully qualified; short names are resolved against the rule's namespace at the edge.
    package var host: HostName
    package var subset: String?
    package var port: Port?
    /// Relative; 0 receives nothing unless it is the only one.
    package var weight: UInt32
    package var requestHeaders = HeaderOperations()
    package var responseHeaders = HeaderOperations()

    package init(host: HostName, subset: String? = nil, port: Port? = nil, weight: UInt32 = 0) {
        self.host = host
        self.subset = subset
        self.port = port
        self.weight = weight
    }
}

/// Istio `HTTPRetry`; absent in a rule means the mesh default, `attempts` 0 means none.
package struct RetryRule: Hashable, Sendable {
    package var attempts: UInt32
    package var perTryTimeout: Duration?
    /// Envoy's words; empty: the default list (facts #33).
    package var retryOn: [String]
    package var statusCodes: [UInt32]
    package var backOffBase: Duration?

    package init(
        attempts: UInt32,
        perTryTimeout: Duration? = nil,
        retryOn: [String] = [],
        statusCodes: [UInt32] = [],
        backOffBase: Duration? = nil
    ) {
        self.attempts = attempts
        self.perTryTimeout = perTryTimeout
        self.retryOn = retryOn
        self.statusCodes = statusCodes
        self.backOffBase = backOffBase
    }
}

/// Which scripts of other origins may use what a route leads to (Istio `CorsPolicy`).
package struct CrossOriginRule: Hashable, Sendable {
    /// Any of them; an exact `*` is every origin.
    package var origins: [StringMatch] = []
    package var methods: [String] = []
    package var headers: [String] = []
    /// Headers of answers that scripts may read.
    package var headersExposed: [String] = []
    /// Whole seconds that a browser may remember the answer to a preflight.
    package var maxAge: Duration?
    package var allowsCredentials: Bool?
    /// Preflights of other origins go to the destination; else the proxy answers them.
    package var forwardsUnmatchedPreflights = true

    package init() {}
}

/// One `http` rule of a VirtualService.
package struct HTTPRouteRule: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case forward([RouteDestination])
        case redirect(Redirect)
        case respond(status: UInt32, body: String?)
    }

    package struct Redirect: Hashable, Sendable {
        package var path: String?
        package var authority: String?
        package var scheme: String?
        package var port: UInt32?
        package var code: UInt32

        package init(path: String?, authority: String?, scheme: String?, port: UInt32?, code: UInt32) {
            self.path = path
            self.authority = authority
            self.scheme = scheme
            self.port = port
            self.code = code
        }
    }

    package var name = ""
    /// Any of them; empty: every request.
    package var matches: [RequestMatch] = []
    package var action: Action
    package var rewritePath: String?
    package var rewriteAuthority: String?
    /// `nil`: no limit (facts #34).
    package var timeout: Duration?
    package var retries: RetryRule?
    package var crossOrigin: CrossOriginRule?
    package var requestHeaders = HeaderOperations()
    package var responseHeaders = HeaderOperations()
    /// Another VirtualService whose rules take this one's place; in a snapshot they have.
    package var delegate: ObjectID?

    package init(action: Action) { self.action = action }
}

/// One `match` of a `tcp` or `tls` rule.
package struct ConnectionMatch: Hashable, Sendable {
    /// Empty for `tcp` rules.
    package var serverNames: [HostName] = []
    package var destinationSubnets: [CIDR] = []
    package var port: Port?
    package var sourceLabels: [String: String] = [:]
    package var sourceNamespace: String?
    package var gateways: [String] = []

    package init() {}
}

/// One `tcp` or `tls` rule of a VirtualService.
package struct ConnectionRouteRule: Hashable, Sendable {
    package var matches: [ConnectionMatch]
    package var destinations: [RouteDestination]

    package init(matches: [ConnectionMatch], destinations: [RouteDestination]) {
        self.matches = matches
        self.destinations = destinations
    }
}

/// A VirtualService, parsed and resolved.
package struct RouteRules: Hashable, Sendable {
    package var source: ObjectReference
    package var createdAt: Int64
    package var hosts: [HostName]
    /// `mesh` and/or `namespace/name` of gateways; never empty.
    package var gateways: [String]
    package var visibility: Visibility
    package var http: [HTTPRouteRule]
    package var tls: [ConnectionRouteRule]
    package var tcp: [ConnectionRouteRule]

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        hosts: [HostName],
        gateways: [String] = ["mesh"],
        visibility: Visibility = .everyone,
        http: [HTTPRouteRule] = [],
        tls: [ConnectionRouteRule] = [],
        tcp: [ConnectionRouteRule] = []
    ) {
        self.source = source
        self.createdAt = createdAt
        self.hosts = hosts
        self.gateways = gateways
        self.visibility = visibility
        self.http = http
        self.tls = tls
        self.tcp = tcp
    }
}
