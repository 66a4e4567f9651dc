import IstioAPI
import KubernetesAPI
import MeshModel
import SwiftProtobuf

/// Reads RequestAuthentications.
///
/// An issuer with a mistake is left out: its tokens then prove nothing, so that what asks for them stays closed.
enum RequestAuthenticationParser {
    static func parse(_ object: KubernetesObject) -> Parsed<RequestAuthenticationRules> {
        var findings = Findings("RequestAuthentication", object)
        guard
            let spec = Fields.spec(
                Istio_Security_V1beta1_RequestAuthentication.self,
                of: object,
                &findings,
                isStrict: true
            )
        else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        let issuers = spec.jwtRules.enumerated().compactMap { index, rule in
            self.issuer(rule, "spec.jwtRules[\(index)]", &findings)
        }
        let rules = RequestAuthenticationRules(
            source: ObjectReference(kind: "RequestAuthentication", id: ObjectID(object)),
            createdAt: object.createdAt,
            selector: spec.selector.matchLabels,
            issuers: issuers
        )
        return Parsed(object, value: rules, diagnoses: findings.diagnoses)
    }

    private static func issuer(
        _ rule: Istio_Security_V1beta1_JWTRule,
        _ field: String,
        _ findings: inout Findings
    ) -> RequestAuthenticationRules.Issuer? {
        let errors = findings.errorCount
        var issuer = RequestAuthenticationRules.Issuer(issuer: rule.issuer)
        if rule.issuer.isEmpty { findings.error("\(field).issuer", "is needed") }
        issuer.audiences = rule.audiences
        self.keys(rule.jwksUri, rule.jwks, to: &issuer, field, &findings)
        for (index, header) in rule.fromHeaders.enumerated() {
            self.checkHeader(header.name, "\(field).fromHeaders[\(index)].name", &findings)
            issuer.fromHeaders.append(.init(name: header.name.lowercased(), prefix: header.prefix))
        }
        issuer.fromParameters = rule.fromParams
        issuer.fromCookies = rule.fromCookies
        for (name, texts) in [
            ("audiences", rule.audiences), ("fromParams", rule.fromParams),
            ("fromCookies", rule.fromCookies),
        ] {
            for (index, text) in texts.enumerated() where text.isEmpty {
                findings.error("\(field).\(name)[\(index)]", "is empty")
            }
        }
        issuer.forwardsToken = rule.forwardOriginalToken
        if !rule.outputPayloadToHeader.isEmpty {
            self.checkHeader(rule.outputPayloadToHeader, "\(field).outputPayloadToHeader", &findings)
            issuer.payloadHeader = rule.outputPayloadToHeader.lowercased()
        }
        for (index, entry) in rule.outputClaimToHeaders.enumerated() {
            let place = "\(field).outputClaimToHeaders[\(index)]"
            self.checkHeader(entry.header, "\(place).header", &findings)
            if entry.claim.isEmpty { findings.error("\(place).claim", "is needed") }
            issuer.claimHeaders.append(.init(header: entry.header.lowercased(), claim: entry.claim))
        }
        issuer.timeout =
            Fields.positiveDuration(rule.timeout, isSet: rule.hasTimeout, field: "\(field).timeout", &findings)
            ?? issuer.timeout
        return findings.errorCount == errors ? issuer : nil
    }

    /// Where the keys come from: exactly one place.
    static func keys(
        _ uri: String,
        _ keys: String,
        to issuer: inout RequestAuthenticationRules.Issuer,
        _ field: String,
        _ findings: inout Findings
    ) {
        issuer.keysURI = Fields.text(uri)
        issuer.keys = Fields.text(keys)
        switch (issuer.keysURI, issuer.keys) {
        case (nil, nil):
            findings.error("\(field).jwksUri", "is needed, or jwks: keys are not looked up at the issuer")
        case (.some, .some):
            findings.error("\(field).jwks", "not together with jwksUri: keep one of them")
        case (.some(let uri), nil):
            if !self.isURI(uri) { findings.error("\(field).jwksUri", "`\(uri)` is no http:// or https:// address") }
        case (nil, .some(let keys)):
            if !self.isKeySet(keys) { findings.error("\(field).jwks", "is no JSON with a list `keys`") }
        }
    }

    private static func isURI(_ text: String) -> Bool {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            return !authority.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        return false
    }

    /// Keys themselves are read where tokens are checked.
    private static func isKeySet(_ text: String) -> Bool {
        // A text that is no JSON is the answer itself here: it is no set of keys.
        guard let json = try? JSONValue.parse(text), let keys = json["keys"]?.array else { return false }
        return !keys.isEmpty && keys.allSatisfy { $0["kty"]?.string != nil }
    }

    private static func checkHeader(_ name: String, _ field: String, _ findings: inout Findings) {
        if name.isEmpty {
            findings.error(field, "is needed")
        } else if !Fields.isHeaderName(name) {
            findings.error(field, "`\(name)` is no header name")
        }
    }
}
