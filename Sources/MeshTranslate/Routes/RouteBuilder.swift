import MeshModel
import SwiftProtobuf
import XDSAPI

/// Makes Envoy's routes from the `http` rules of a VirtualService.
struct RouteBuilder {
    let scope: ProxyScope
    /// The port that clients dial; at a gateway the one that the Gateway names.
    let port: Port
    var place = RulePlace.mesh

    /// All routes for this proxy; literal order, up to the first that takes everything (facts #32).
    func routes(_ rules: [HTTPRouteRule]) -> [Envoy_Config_Route_V3_Route] {
        var routes: [Envoy_Config_Route_V3_Route] = []
        for rule in rules {
            let matches = rule.matches.isEmpty ? [RequestMatch()] : rule.matches
            for match in matches where self.admits(match) {
                let route = self.route(rule, match)
                routes.append(route)
                if route.match.takesEverything { return routes }
            }
        }
        return routes
    }

    /// To the service that clients asked for, by the mesh's defaults.
    func defaultRoute(to host: HostName) -> Envoy_Config_Route_V3_Route {
        .with {
            $0.name = "default"
            $0.match.prefix = "/"
            $0.requestHeadersToRemove = self.scope.isExternal(host) ? Self.headersOfTheMesh : []
            $0.route.cluster = ResourceName.outboundCluster(host, port: self.port)
            $0.route.timeout = Google_Protobuf_Duration(seconds: 0)
            if let policy = Self.retryPolicy(nil) { $0.route.retryPolicy = policy }
            $0.route.hashPolicy = self.scope.hashPolicies(of: [RouteDestination(host: host)], dialled: self.port)
        }
    }

    private func admits(_ match: RequestMatch) -> Bool {
        (match.port == nil || match.port == self.port)
            && self.scope.admits(
                at: self.place,
                sourceLabels: match.sourceLabels,
                sourceNamespace: match.sourceNamespace,
                gateways: match.gateways
            )
    }

    private func route(_ rule: HTTPRouteRule, _ match: RequestMatch) -> Envoy_Config_Route_V3_Route {
        var route = Envoy_Config_Route_V3_Route()
        route.name = [rule.name, match.name].filter { !$0.isEmpty }.joined(separator: ".")
        route.match = RouteMatchBuilder.match(match)
        if let rule = rule.crossOrigin {
            route.typedPerFilterConfig[CrossOrigin.filterName] = .packing(CrossOrigin.policy(rule))
        }
        var edits = HeaderEditing()
        edits.add(request: rule.requestHeaders, response: rule.responseHeaders)
        switch rule.action {
        case .forward(let destinations):
            route.route = self.forward(rule, match, destinations, &edits)
        case .redirect(let redirect): route.redirect = Self.redirect(redirect)
        case .respond(let status, let body):
            route.directResponse.status = status
            if let body { route.directResponse.body.inlineString = body }
        }
        route.requestHeadersToAdd = edits.requestAdd
        route.requestHeadersToRemove = edits.requestRemove
        route.responseHeadersToAdd = edits.responseAdd
        route.responseHeadersToRemove = edits.responseRemove
        return route
    }

    private func forward(
        _ rule: HTTPRouteRule,
        _ match: RequestMatch,
        _ destinations: [RouteDestination],
        _ edits: inout HeaderEditing
    ) -> Envoy_Config_Route_V3_RouteAction {
        var action = Envoy_Config_Route_V3_RouteAction()
        // The weight of a single destination means nothing (facts #36).
        let shares = destinations.count > 1 ? destinations.filter { $0.weight > 0 } : destinations
        if shares.count == 1 {
            action.cluster = self.scope.cluster(of: shares[0], dialled: self.port)
            edits.add(request: shares[0].requestHeaders, response: shares[0].responseHeaders)
            if self.scope.isExternal(shares[0].host) { edits.remove(Self.headersOfTheMesh) }
        } else {
            action.weightedClusters.clusters = shares.map { share in
                var own = HeaderEditing()
                own.add(request: share.requestHeaders, response: share.responseHeaders)
                if self.scope.isExternal(share.host) { own.remove(Self.headersOfTheMesh) }
                return .with {
                    $0.name = self.scope.cluster(of: share, dialled: self.port)
                    $0.weight = Google_Protobuf_UInt32Value(share.weight)
                    $0.requestHeadersToAdd = own.requestAdd
                    $0.requestHeadersToRemove = own.requestRemove
                    $0.responseHeadersToAdd = own.responseAdd
                    $0.responseHeadersToRemove = own.responseRemove
                }
            }
        }
        action.hashPolicy = self.scope.hashPolicies(of: shares, dialled: self.port)
        action.timeout = Google_Protobuf_Duration(rule.timeout ?? .zero)
        if let policy = Self.retryPolicy(rule.retries) { action.retryPolicy = policy }
        if let authority = rule.rewriteAuthority ?? edits.host { action.hostRewriteLiteral = authority }
        if let path = rule.rewritePath {
            if case .regex(let pattern) = match.path {
                action.regexRewrite.pattern.regex = pattern
                action.regexRewrite.substitution = path
            } else {
                action.prefixRewrite = path
            }
        }
        return action
    }

    /// What proxies tell each other, and who is inside; it stays in the mesh (facts #55).
    static let headersOfTheMesh = [
        "x-forwarded-client-cert", "x-forwarded-for", "x-envoy-decorator-operation", "x-envoy-peer-metadata",
        "x-envoy-peer-metadata-id",
    ]

    private static func redirect(_ redirect: HTTPRouteRule.Redirect) -> Envoy_Config_Route_V3_RedirectAction {
        .with {
            if let path = redirect.path { $0.pathRedirect = path }
            if let authority = redirect.authority { $0.hostRedirect = authority }
            if let scheme = redirect.scheme { $0.schemeRedirect = scheme }
            if let port = redirect.port { $0.portRedirect = port }
            switch redirect.code {
            case 302: $0.responseCode = .found
            case 303: $0.responseCode = .seeOther
            case 307: $0.responseCode = .temporaryRedirect
            case 308: $0.responseCode = .permanentRedirect
            default: $0.responseCode = .movedPermanently
            }
        }
    }

    /// What is tried again unless a rule says otherwise (facts #33).
    private static let retryOn = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"

    /// `nil`: nothing is tried again.
    private static func retryPolicy(_ rule: RetryRule?) -> Envoy_Config_Route_V3_RetryPolicy? {
        if let rule, rule.attempts == 0 { return nil }
        return .with {
            $0.retryOn = Self.retryOn
            $0.numRetries = Google_Protobuf_UInt32Value(rule?.attempts ?? 2)
            guard let rule else { return }
            if !rule.retryOn.isEmpty || !rule.statusCodes.isEmpty {
                var causes = rule.retryOn
                if !rule.statusCodes.isEmpty, !causes.contains("retriable-status-codes") {
                    causes.append("retriable-status-codes")
                }
                $0.retryOn = causes.joined(separator: ",")
            }
            $0.retriableStatusCodes = rule.statusCodes
            if let limit = rule.perTryTimeout { $0.perTryTimeout = Google_Protobuf_Duration(limit) }
            if let base = rule.backOffBase { $0.retryBackOff.baseInterval = Google_Protobuf_Duration(base) }
        }
    }
}

extension Envoy_Config_Route_V3_RouteMatch {
    var takesEverything: Bool {
        guard self.headers.isEmpty, self.queryParameters.isEmpty else { return false }
        return switch self.pathSpecifier {
        case .prefix(let prefix): prefix == "/"
        case .safeRegex(let matcher): matcher.regex == ".*" || matcher.regex == "/.*"
        default: false
        }
    }
}
