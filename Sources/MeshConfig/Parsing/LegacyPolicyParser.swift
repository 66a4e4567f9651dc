import IstioAPI
import KubernetesAPI
import MeshModel

/// A Policy or MeshPolicy of Istio 1.0: what it says, for services that are still to be found.
struct LegacyPolicyFacts: Hashable, Sendable {
    struct Target: Hashable, Sendable {
        enum ServicePort: Hashable, Sendable {
            case number(Port)
            case name(String)
        }

        /// A service of the policy's namespace.
        var name: String
        /// Empty: all ports.
        var ports: [ServicePort] = []
    }

    var source: ObjectReference
    var createdAt: Int64
    /// Empty: the whole namespace, or mesh.
    var targets: [Target]
    var mode: MutualTLSMode
    var issuers: [RequestAuthenticationRules.Issuer]
    var isOriginRequired: Bool
}

enum LegacyPolicyParser {
    /// The only name that a policy for a whole namespace, or the mesh, may have.
    static let defaultName = "default"

    static func parse(_ object: KubernetesObject, kind: MeshKind) -> Parsed<LegacyPolicyFacts> {
        var findings = Findings(kind.rawValue, object)
        let normalized = self.withoutNulls(object)
        guard
            let spec = Fields.spec(Istio_Authentication_V1alpha1_Policy.self, of: normalized, &findings, isStrict: true)
        else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        if kind == .meshPolicy, !spec.targets.isEmpty {
            findings.error("spec.targets", "are those of a Policy: a MeshPolicy is for the whole mesh")
        }
        if spec.targets.isEmpty, object.name != self.defaultName {
            let hint = kind == .policy ? "; give it targets or that name" : ""
            findings.error("metadata.name", "`\(object.name)` is not `\(self.defaultName)`\(hint)")
        }
        let targets = spec.targets.enumerated().compactMap { self.target($1, "spec.targets[\($0)]", &findings) }
        let mode = self.mode(spec, &findings)
        let issuers = spec.origins.enumerated().compactMap { self.issuer($1.jwt, "spec.origins[\($0)].jwt", &findings) }
        if !issuers.isEmpty, targets.contains(where: { !$0.ports.isEmpty }) {
            findings.warning("spec.origins", "hold for all ports of the targets' workloads")
        }
        if spec.principalBinding == .useOrigin {
            findings.warning(
                "spec.principalBinding",
                "USE_ORIGIN is not supported: peers and tokens keep their own names"
            )
        }
        let facts = LegacyPolicyFacts(
            source: ObjectReference(kind: kind.rawValue, id: ObjectID(object)),
            createdAt: object.createdAt,
            targets: targets,
            mode: mode,
            issuers: issuers,
            isOriginRequired: !spec.origins.isEmpty && !spec.originIsOptional
        )
        return Parsed(object, value: findings.hasErrors ? nil : facts, diagnoses: findings.diagnoses)
    }

    /// `- mtls:` is how people wrote mutual TLS: JSON's null, which proto3 takes for "not said".
    static func withoutNulls(_ object: KubernetesObject) -> KubernetesObject {
        guard let peers = object.spec["peers"]?.array else { return object }
        var object = object
        var spec = object.spec
        spec["peers"] = .array(
            peers.map { peer in
                guard peer["mtls"]?.isNull == true else { return peer }
                var peer = peer
                peer["mtls"] = .object([:])
                return peer
            }
        )
        object.spec = spec
        return object
    }

    private static func target(
        _ target: Istio_Authentication_V1alpha1_TargetSelector,
        _ field: String,
        _ findings: inout Findings
    ) -> LegacyPolicyFacts.Target? {
        if target.name.isEmpty || target.name.contains(".") {
            let found = target.name.isEmpty ? "is needed" : "`\(target.name)` is no short name of a service"
            findings.error("\(field).name", found)
            return nil
        }
        if !target.labels.isEmpty { findings.error("\(field).labels", "is not supported: name a service") }
        var result = LegacyPolicyFacts.Target(name: target.name)
        for (index, selector) in target.ports.enumerated() {
            let place = "\(field).ports[\(index)]"
            switch selector.port {
            case .number(let number):
                if let port = Port(number) {
                    result.ports.append(.number(port))
                } else {
                    findings.error("\(place).number", "\(number) is no port: 1 to 65535")
                }
            case .name(let name) where !name.isEmpty: result.ports.append(.name(name))
            case .name, nil: findings.error(place, "needs a number or a name")
            }
        }
        return result
    }

    /// No peers: nobody proves anything, which is plain text.
    private static func mode(
        _ spec: Istio_Authentication_V1alpha1_Policy,
        _ findings: inout Findings
    ) -> MutualTLSMode {
        var mode = MutualTLSMode.disable
        for (index, peer) in spec.peers.enumerated() {
            let field = "spec.peers[\(index)]"
            switch peer.params {
            case .mtls(let mtls):
                let isPermissive = mtls.allowTls || mtls.mode == .permissive || spec.peerIsOptional
                mode = isPermissive ? .permissive : .strict
            case .jwt: findings.error("\(field).jwt", "is not supported: tokens are those of origins")
            case nil: findings.error(field, "needs a method: mtls")
            }
        }
        return mode
    }

    private static func issuer(
        _ jwt: Istio_Authentication_V1alpha1_Jwt,
        _ field: String,
        _ findings: inout Findings
    ) -> RequestAuthenticationRules.Issuer? {
        var issuer = RequestAuthenticationRules.Issuer(issuer: jwt.issuer)
        if jwt.issuer.isEmpty {
            findings.error("\(field).issuer", "is needed")
            return nil
        }
        issuer.audiences = jwt.audiences
        RequestAuthenticationParser.keys(jwt.jwksUri, jwt.jwks, to: &issuer, field, &findings)
        issuer.fromHeaders = jwt.jwtHeaders.map { .init(name: $0.lowercased()) }
        issuer.fromParameters = jwt.jwtParams
        if !jwt.triggerRules.isEmpty {
            // The closed side: a path that could be asked for without a token needs one.
            findings.warning("\(field).triggerRules", "are not supported: the token is asked for on every path")
        }
        return issuer
    }
}
