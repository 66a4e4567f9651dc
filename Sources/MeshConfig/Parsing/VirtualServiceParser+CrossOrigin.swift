import IstioAPI
import MeshModel
import SwiftProtobuf

extension VirtualServiceReader {
    mutating func crossOrigin(_ policy: Istio_Networking_V1alpha3_CorsPolicy, _ field: String) -> CrossOriginRule {
        var rule = CrossOriginRule()
        for (index, origin) in policy.allowOrigins.enumerated() {
            if let match = self.string(origin, "\(field).allowOrigins[\(index)]") {
                rule.origins.append(match)
            } else {
                self.findings.error("\(field).allowOrigins[\(index)]", "needs one of exact, prefix and regex")
            }
        }
        rule.origins += policy.allowOrigin.map { .exact($0) }
        if rule.origins.isEmpty {
            self.findings.warning("\(field).allowOrigins", "is empty: no origin is allowed anything")
        }
        rule.methods = self.words(policy.allowMethods, "\(field).allowMethods")
        rule.headers = self.words(policy.allowHeaders, "\(field).allowHeaders")
        rule.headersExposed = self.words(policy.exposeHeaders, "\(field).exposeHeaders")
        if policy.hasMaxAge {
            rule.maxAge = .seconds(policy.maxAge.seconds)
            if policy.maxAge.seconds < 0 || policy.maxAge.nanos < 0 {
                self.findings.error("\(field).maxAge", "must not be negative")
            } else if policy.maxAge.nanos != 0 {
                self.findings.error("\(field).maxAge", "must be whole seconds")
            }
        }
        if policy.hasAllowCredentials { rule.allowsCredentials = policy.allowCredentials.value }
        switch policy.unmatchedPreflights {
        case .unspecified, .forward: ()
        case .ignore: rule.forwardsUnmatchedPreflights = false
        case .UNRECOGNIZED(let number):
            self.findings.error("\(field).unmatchedPreflights", "\(number) is none: FORWARD or IGNORE")
        }
        return rule
    }

    /// Methods and names of headers are tokens (RFC 9110 sections 5.6.2 and 9.1), or `*`.
    private mutating func words(_ words: [String], _ field: String) -> [String] {
        let marks = Set("!#$%&'*+-.^_`|~".utf8)
        for (index, word) in words.enumerated() {
            let isToken = word.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || marks.contains($0)
            }
            if word.isEmpty || !isToken {
                self.findings.error("\(field)[\(index)]", "`\(word)` can be no method and no name of a header")
            }
        }
        return words
    }
}
