import IstioAPI
import KubernetesAPI

/// A WorkloadGroup as far as it can be wrong; entries are made from the object itself.
struct GroupFacts: Hashable, Sendable {
    var serviceAccount: String?
    var isProbed: Bool
}

enum WorkloadGroupParser {
    static func parse(_ object: KubernetesObject) -> Parsed<GroupFacts> {
        var findings = Findings("WorkloadGroup", object)
        var facts: GroupFacts?
        if let spec = Fields.spec(Istio_Networking_V1alpha3_WorkloadGroup.self, of: object, &findings) {
            self.check(spec, &findings)
            facts = GroupFacts(
                serviceAccount: Fields.text(spec.template.serviceAccount),
                isProbed: spec.hasProbe
            )
        }
        return Parsed(object, value: findings.hasErrors ? nil : facts, diagnoses: findings.diagnoses)
    }

    private static func check(_ spec: Istio_Networking_V1alpha3_WorkloadGroup, _ findings: inout Findings) {
        if !spec.hasTemplate { findings.error("spec.template", "is needed: entries are made from it") }
        if !spec.template.address.isEmpty {
            findings.error("spec.template.address", "each machine has its own: leave it out")
        }
        _ = WorkloadEntryParser.ports(spec.template.ports, field: "spec.template.ports", &findings)
        guard spec.hasProbe else { return }
        switch spec.probe.healthCheckMethod {
        case .httpGet(let check):
            self.port(check.port, "spec.probe.httpGet.port", &findings)
            if !["", "HTTP", "HTTPS"].contains(check.scheme.uppercased()) {
                findings.error("spec.probe.httpGet.scheme", "`\(check.scheme)` is neither HTTP nor HTTPS")
            }
        case .tcpSocket(let check): self.port(check.port, "spec.probe.tcpSocket.port", &findings)
        case .exec(let check):
            if check.command.isEmpty { findings.error("spec.probe.exec.command", "names no program") }
        case .grpc: findings.error("spec.probe.grpc", "is not supported: use httpGet, tcpSocket or exec")
        case nil: findings.error("spec.probe", "says no way to check: httpGet, tcpSocket or exec")
        }
    }

    private static func port(_ number: UInt32, _ field: String, _ findings: inout Findings) {
        if !(1...65535).contains(number) { findings.error(field, "\(number) is no port: 1 to 65535") }
    }
}
