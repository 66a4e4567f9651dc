import IstioAPI
import MeshModel
import SwiftProtobuf

extension VirtualServiceReader {
    mutating func http(_ rule: Istio_Networking_V1alpha3_HTTPRoute, _ field: String) -> HTTPRouteRule? {
        self.warnAboutUnsupported(rule, field)
        guard let action = self.action(rule, field) else { return nil }
        var result = HTTPRouteRule(action: action)
        result.name = rule.name
        if rule.hasDelegate {
            let namespace = rule.delegate.namespace.isEmpty ? self.namespace : rule.delegate.namespace
            result.delegate = ObjectID(namespace: namespace, name: rule.delegate.name)
        }
        result.matches = rule.match.enumerated().map { self.match($1, "\(field).match[\($0)]") }
        if rule.hasRewrite {
            if !rule.rewrite.uri.isEmpty { result.rewritePath = rule.rewrite.uri }
            if !rule.rewrite.authority.isEmpty { result.rewriteAuthority = rule.rewrite.authority }
            if rule.rewrite.hasUriRegexRewrite {
                self.findings.error("\(field).rewrite.uriRegexRewrite", "is not supported yet: use uri")
            }
        }
        // Zero is Istio's word for "no limit", which is the default as well (facts #34).
        result.timeout = Fields.positiveDuration(
            rule.timeout,
            isSet: rule.hasTimeout,
            field: "\(field).timeout",
            &self.findings
        )
        if rule.hasRetries { result.retries = self.retries(rule.retries, "\(field).retries") }
        if rule.hasCorsPolicy { result.crossOrigin = self.crossOrigin(rule.corsPolicy, "\(field).corsPolicy") }
        result.requestHeaders = Self.operations(rule.headers.request)
        result.responseHeaders = Self.operations(rule.headers.response)
        return result
    }

    private mutating func warnAboutUnsupported(_ rule: Istio_Networking_V1alpha3_HTTPRoute, _ field: String) {
        let unsupported = [
            ("fault", rule.hasFault), ("mirror", rule.hasMirror), ("mirrors", !rule.mirrors.isEmpty),
            ("retries.retryRemoteLocalities", rule.retries.retryRemoteLocalities.value),
        ]
        for (name, isSet) in unsupported where isSet {
            self.findings.warning("\(field).\(name)", "is not supported yet and has no effect")
        }
    }

    private mutating func action(
        _ rule: Istio_Networking_V1alpha3_HTTPRoute,
        _ field: String
    ) -> HTTPRouteRule.Action? {
        let actions = [!rule.route.isEmpty, rule.hasRedirect, rule.hasDirectResponse, rule.hasDelegate].count { $0 }
        guard actions == 1 else {
            let found = actions == 0 ? "needs one of" : "has more than one of"
            self.findings.error(field, "\(found) route, redirect, directResponse and delegate")
            return nil
        }
        if rule.hasDelegate {
            if rule.delegate.name.isEmpty { self.findings.error("\(field).delegate.name", "is needed") }
            return .forward([])
        }
        if rule.hasRedirect { return self.redirect(rule.redirect, "\(field).redirect") }
        if rule.hasDirectResponse { return self.response(rule.directResponse, "\(field).directResponse") }
        self.checkWeights(rule.route.map(\.weight), field)
        var destinations: [RouteDestination] = []
        for (index, route) in rule.route.enumerated() {
            let place = "\(field).route[\(index)].destination"
            guard var destination = self.destination(route.destination, weight: route.weight, place) else { continue }
            destination.requestHeaders = Self.operations(route.headers.request)
            destination.responseHeaders = Self.operations(route.headers.response)
            destinations.append(destination)
        }
        return .forward(destinations)
    }

    private mutating func redirect(
        _ redirect: Istio_Networking_V1alpha3_HTTPRedirect,
        _ field: String
    ) -> HTTPRouteRule.Action? {
        let code = redirect.redirectCode == 0 ? 301 : redirect.redirectCode
        if ![301, 302, 303, 307, 308].contains(code) {
            self.findings.error("\(field).redirectCode", "\(code) is none of 301, 302, 303, 307, 308")
        }
        var port: UInt32?
        switch redirect.redirectPort {
        case .port(let number):
            port = Fields.port(number, field: "\(field).port", &self.findings).map { UInt32($0.number) }
        case .derivePort: self.findings.warning("\(field).derivePort", "is not supported yet and has no effect")
        case nil: ()
        }
        return .redirect(
            HTTPRouteRule.Redirect(
                path: redirect.uri.isEmpty ? nil : redirect.uri,
                authority: redirect.authority.isEmpty ? nil : redirect.authority,
                scheme: redirect.scheme.isEmpty ? nil : redirect.scheme,
                port: port,
                code: code
            )
        )
    }

    private mutating func response(
        _ response: Istio_Networking_V1alpha3_HTTPDirectResponse,
        _ field: String
    ) -> HTTPRouteRule.Action? {
        if !(200...599).contains(response.status) {
            self.findings.error("\(field).status", "\(response.status) is outside 200 to 599")
        }
        let body: String? =
            switch response.body.specifier {
            case .string(let text): text
            case .bytes(let data): String(decoding: data, as: UTF8.self)
            case nil: nil
            }
        return .respond(status: response.status, body: body)
    }

    private mutating func match(_ match: Istio_Networking_V1alpha3_HTTPMatchRequest, _ field: String) -> RequestMatch {
        var result = RequestMatch()
        result.name = match.name
        if match.hasUri { result.path = self.string(match.uri, "\(field).uri") }
        if match.hasScheme { result.scheme = self.string(match.scheme, "\(field).scheme") }
        if match.hasMethod { result.method = self.string(match.method, "\(field).method") }
        if match.hasAuthority { result.authority = self.string(match.authority, "\(field).authority") }
        result.isPathCaseInsensitive = match.ignoreUriCase
        result.headers = self.strings(match.headers, "\(field).headers") { $0.lowercased() }
        result.headersAbsent = self.strings(match.withoutHeaders, "\(field).withoutHeaders") { $0.lowercased() }
        result.queryParameters = self.strings(match.queryParams, "\(field).queryParams") { $0 }
        result.port = Fields.port(match.port, field: "\(field).port", &self.findings)
        result.sourceLabels = match.sourceLabels
        result.sourceNamespace = match.sourceNamespace.isEmpty ? nil : match.sourceNamespace
        result.gateways = match.gateways.map(self.gateway)
        return result
    }

    private mutating func strings(
        _ matches: [String: Istio_Networking_V1alpha3_StringMatch],
        _ field: String,
        name: (String) -> String
    ) -> [String: StringMatch?] {
        var result: [String: StringMatch?] = [:]
        for (key, match) in matches.sorted(by: { $0.key < $1.key }) {
            result.updateValue(self.string(match, "\(field).\(key)"), forKey: name(key))
        }
        return result
    }

    /// `nil` for a match that says nothing: presence is enough.
    mutating func string(_ match: Istio_Networking_V1alpha3_StringMatch, _ field: String) -> StringMatch? {
        switch match.matchType {
        case .exact(let text): return .exact(text)
        case .prefix(let text): return .prefix(text)
        case .regex(let text):
            if let problem = RegexCheck.problem(with: text) { self.findings.error("\(field).regex", problem) }
            return .regex(text)
        case nil: return nil
        }
    }

    private mutating func retries(_ retries: Istio_Networking_V1alpha3_HTTPRetry, _ field: String) -> RetryRule {
        if retries.attempts < 0 { self.findings.error("\(field).attempts", "must not be negative") }
        var rule = RetryRule(attempts: UInt32(max(0, retries.attempts)))
        rule.perTryTimeout = Fields.positiveDuration(
            retries.perTryTimeout,
            isSet: retries.hasPerTryTimeout,
            field: "\(field).perTryTimeout",
            &self.findings
        )
        rule.backOffBase = Fields.positiveDuration(
            retries.backoff,
            isSet: retries.hasBackoff,
            field: "\(field).backoff",
            &self.findings
        )
        // Numbers among the words are status codes and bring their word with them (facts #33).
        for part in retries.retryOn.split(separator: ",") {
            let word = part.filter { !$0.isWhitespace }
            if let code = UInt32(word) {
                if !(100...599).contains(code) {
                    self.findings.error("\(field).retryOn", "\(code) is no status code")
                }
                rule.statusCodes.append(code)
            } else if Self.retryWords.contains(word) {
                rule.retryOn.append(word)
            } else if !word.isEmpty {
                self.findings.error("\(field).retryOn", "`\(word)` is no condition that can be retried")
            }
        }
        if !rule.statusCodes.isEmpty, !rule.retryOn.contains("retriable-status-codes") {
            rule.retryOn.append("retriable-status-codes")
        }
        return rule
    }

    /// Envoy's words for HTTP and gRPC.
    private static let retryWords: Set<String> = [
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited",
        "retriable-4xx", "refused-stream", "retriable-status-codes", "retriable-headers", "http3-post-connect-failure",
        "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
    ]

    private static func operations(_ source: Istio_Networking_V1alpha3_Headers.HeaderOperations) -> HeaderOperations {
        var operations = HeaderOperations()
        operations.set = source.set
        operations.add = source.add
        operations.remove = source.remove
        return operations
    }
}
