import IstioAPI
import KubernetesAPI
import MeshModel

/// Reads PeerAuthentications.
///
/// A wrong port setting is left out, the rest stays: leaving out the whole would let plain text in.
enum PeerAuthenticationParser {
    static func parse(_ object: KubernetesObject) -> Parsed<PeerPolicy> {
        var findings = Findings("PeerAuthentication", object)
        guard
            let spec = Fields.spec(
                Istio_Security_V1beta1_PeerAuthentication.self,
                of: object,
                &findings,
                isStrict: true
            )
        else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        var policy = PeerPolicy(
            source: ObjectReference(kind: "PeerAuthentication", id: ObjectID(object)),
            createdAt: object.createdAt,
            selector: spec.selector.matchLabels,
            mode: self.mode(spec.mtls.mode, "spec.mtls.mode", &findings)
        )
        if !spec.portLevelMtls.isEmpty, policy.selector.isEmpty {
            findings.error("spec.portLevelMtls", "needs a selector: ports are those of workloads")
            return Parsed(object, value: policy, diagnoses: findings.diagnoses)
        }
        for (number, mtls) in spec.portLevelMtls.sorted(by: { $0.key < $1.key }) {
            let field = "spec.portLevelMtls.\(number)"
            guard let port = Port(number) else {
                findings.error(field, "\(number) is no port: 1 to 65535")
                continue
            }
            // UNSET is what the workload's own mode says anyway.
            if let mode = self.mode(mtls.mode, "\(field).mode", &findings) { policy.ports[port] = mode }
        }
        return Parsed(object, value: policy, diagnoses: findings.diagnoses)
    }

    private static func mode(
        _ mode: Istio_Security_V1beta1_PeerAuthentication.MutualTLS.Mode,
        _ field: String,
        _ findings: inout Findings
    ) -> MutualTLSMode? {
        switch mode {
        case .unset: return nil
        case .disable: return .disable
        case .permissive: return .permissive
        case .strict: return .strict
        case .UNRECOGNIZED(let number):
            findings.error(field, "\(number) is none of UNSET, DISABLE, PERMISSIVE, STRICT")
            return nil
        }
    }
}
