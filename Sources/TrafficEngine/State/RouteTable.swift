package import MeshModel

/// Virtual hosts and their routes; which host a request belongs to is found by `RouteTable+Match.swift`.
package final class RouteTable: Sendable {
    package let name: String
    package let virtualHosts: [VirtualHost]
    /// Host to virtual host, built once; see `HostIndex`.
    package let index: HostIndex

    package init(name: String, virtualHosts: [VirtualHost]) {
        self.name = name
        self.virtualHosts = virtualHosts
        self.index = HostIndex(virtualHosts)
    }
}

/// Routes of some host names; the first that matches is taken.
package final class VirtualHost: Sendable {
    package let name: String
    /// Lower case; exact names, `*.suffix`, or `*`. Ports are not compared (facts #32).
    package let domains: [String]
    /// Asked before `routes`; `nil`: there is none.
    package let directory: RouteDirectory?
    package let routes: [Route]

    package init(name: String, domains: [String], directory: RouteDirectory? = nil, routes: [Route]) {
        self.name = name
        self.domains = domains
        self.directory = directory
        self.routes = routes
    }
}

/// What a request must be like, and what becomes of it.
package final class Route: Sendable {
    package enum Action: Sendable {
        case forward(ForwardAction)
        case redirect(RedirectAction)
        case respond(status: Int, body: [UInt8])
    }

    package let name: String
    package let match: RouteMatch
    package let action: Action
    package let requestHeaders: HeaderEdits
    package let responseHeaders: HeaderEdits
    /// What scripts of other origins may do; `nil`: that is the destination's business.
    package let crossOrigin: CrossOriginPolicy?
    /// Lines of the proxy that these edits speak of; worked out once, so that no request compares names.
    package let requestLines: ProxyLines
    package let responseLines: ProxyLines

    package init(
        name: String,
        match: RouteMatch,
        action: Action,
        requestHeaders: HeaderEdits = HeaderEdits(),
        responseHeaders: HeaderEdits = HeaderEdits(),
        crossOrigin: CrossOriginPolicy? = nil
    ) {
        self.name = name
        self.match = match
        self.crossOrigin = crossOrigin
        self.action = action
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
        self.requestLines = requestHeaders.proxyLines
        self.responseLines = responseHeaders.proxyLines
    }
}

/// Conditions on a request; all must hold. Bytes, so that nothing is decoded per request.
package struct RouteMatch: Sendable {
    package enum Path: Sendable {
        case prefix([UInt8])
        case exact([UInt8])
        /// The prefix, and after it the end, `/` or `?` (Envoy `path_separated_prefix`).
        case separatedPrefix([UInt8])
        case regex(Pattern)
    }

    package var path: Path
    package var isCaseSensitive: Bool
    package var headers: [HeaderMatch]
    package var queryParameters: [HeaderMatch]

    package init(
        path: Path,
        isCaseSensitive: Bool = true,
        headers: [HeaderMatch] = [],
        queryParameters: [HeaderMatch] = []
    ) {
        self.path = path
        self.isCaseSensitive = isCaseSensitive
        self.headers = headers
        self.queryParameters = queryParameters
    }
}

/// A condition on one header, `:method`, `:authority`, `:path` and `:scheme` included, or on a query parameter.
package struct HeaderMatch: Sendable {
    package enum Value: Sendable {
        case present
        case exact([UInt8])
        case prefix([UInt8])
        case suffix([UInt8])
        case contains([UInt8])
        case regex(Pattern)
    }

    /// Lower case.
    package var name: [UInt8]
    package var value: Value
    /// The condition must not hold.
    package var isInverted: Bool
    /// Compare a header that is not there as if it were empty; else a comparison with it fails, inverted or not.
    package var treatsMissingAsEmpty: Bool

    package init(name: [UInt8], value: Value, isInverted: Bool = false, treatsMissingAsEmpty: Bool = false) {
        self.name = name
        self.value = value
        self.isInverted = isInverted
        self.treatsMissingAsEmpty = treatsMissingAsEmpty
    }
}

/// Sends a request on.
package final class ForwardAction: Sendable {
    /// One entry, or several with weights that add up to more than 0.
    package let clusters: [WeightedCluster]
    /// From the end of the request to the end of the response; `nil`: no limit.
    package let timeout: Duration?
    /// The timeout counts from the beginning of the request, whether it has ended or not.
    package let timeoutIncludesRequest: Bool
    package let retry: RetryPolicy?
    package let prefixRewrite: [UInt8]?
    package let hostRewrite: [UInt8]?
    package let allowsUpgrade: Bool
    /// What a consistent-hash cluster hashes; the first that gives a value, or all where none is terminal.
    package let hashKeys: [HashKey]

    package init(
        clusters: [WeightedCluster],
        timeout: Duration? = nil,
        timeoutIncludesRequest: Bool = false,
        retry: RetryPolicy? = nil,
        prefixRewrite: [UInt8]? = nil,
        hostRewrite: [UInt8]? = nil,
        allowsUpgrade: Bool = false,
        hashKeys: [HashKey] = []
    ) {
        self.hashKeys = hashKeys
        self.clusters = clusters
        self.timeout = timeout
        self.timeoutIncludesRequest = timeoutIncludesRequest
        self.retry = retry
        self.prefixRewrite = prefixRewrite
        self.hostRewrite = hostRewrite
        self.allowsUpgrade = allowsUpgrade
    }
}

/// A part of a request that decides which endpoint it goes to (Envoy `hash_policy`).
package struct HashKey: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        /// Lower case.
        case header([UInt8])
        /// Made with this life if the request has none; `nil`: never made.
        case cookie(name: [UInt8], path: [UInt8], ttl: Duration?)
        case sourceAddress
        case queryParameter([UInt8])
    }

    package var value: Value
    package var isTerminal: Bool

    package init(value: Value, isTerminal: Bool = false) {
        self.value = value
        self.isTerminal = isTerminal
    }
}

/// Answers with a new address.
package final class RedirectAction: Sendable {
    package let scheme: [UInt8]?
    package let host: [UInt8]?
    package let port: UInt16?
    package let path: [UInt8]?
    package let prefixRewrite: [UInt8]?
    package let status: Int

    package init(
        scheme: [UInt8]? = nil,
        host: [UInt8]? = nil,
        port: UInt16? = nil,
        path: [UInt8]? = nil,
        prefixRewrite: [UInt8]? = nil,
        status: Int = 301
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.prefixRewrite = prefixRewrite
        self.status = status
    }
}

/// Which failures are tried again (Envoy `retry_on`), and how often.
package struct RetryPolicy: Hashable, Sendable {
    package struct Causes: OptionSet, Hashable, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let connectFailure = Causes(rawValue: 1 << 0)
        package static let refusedStream = Causes(rawValue: 1 << 1)
        /// gRPC status 14 in a trailers-only answer.
        package static let unavailable = Causes(rawValue: 1 << 2)
        /// gRPC status 1.
        package static let cancelled = Causes(rawValue: 1 << 3)
        package static let retriableStatusCodes = Causes(rawValue: 1 << 4)
        /// Any 5xx, or no answer at all.
        package static let serverError = Causes(rawValue: 1 << 5)
        /// 502, 503, 504.
        package static let gatewayError = Causes(rawValue: 1 << 6)
        package static let reset = Causes(rawValue: 1 << 7)
        package static let resetBeforeRequest = Causes(rawValue: 1 << 8)
        package static let retriable4xx = Causes(rawValue: 1 << 9)
    }

    package var retriesMax: UInt32
    package var causes: Causes
    package var statusCodes: [Int]
    package var perTryTimeout: Duration?
    package var backOffBase: Duration
    package var backOffMax: Duration

    package init(
        retriesMax: UInt32,
        causes: Causes,
        statusCodes: [Int] = [],
        perTryTimeout: Duration? = nil,
        backOffBase: Duration = .milliseconds(25),
        backOffMax: Duration = .milliseconds(250)
    ) {
        self.retriesMax = retriesMax
        self.causes = causes
        self.statusCodes = statusCodes
        self.perTryTimeout = perTryTimeout
        self.backOffBase = backOffBase
        self.backOffMax = backOffMax
    }
}

/// Header changes, in order: remove, then set (replace), then add.
package struct HeaderEdits: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        /// Lower case.
        package var name: [UInt8]
        package var value: [UInt8]

        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    package var remove: [[UInt8]]
    package var set: [Entry]
    package var add: [Entry]

    package init(remove: [[UInt8]] = [], set: [Entry] = [], add: [Entry] = []) {
        self.remove = remove
        self.set = set
        self.add = add
    }

    package var isEmpty: Bool { self.remove.isEmpty && self.set.isEmpty && self.add.isEmpty }
}
