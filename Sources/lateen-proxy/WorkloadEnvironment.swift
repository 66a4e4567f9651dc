import Foundation
import MeshModel
import MeshSubscribe
import RequestReports

/// What a proxy of the mesh is for.
enum ProxyRole: String, Sendable {
    /// It stands beside a workload.
    case sidecar
    /// It is a gateway.
    case router
}

/// What the environment says of the workload that the proxy stands beside, or is.
struct WorkloadEnvironment: Sendable {
    static let help =
        "Reads POD_NAME, POD_NAMESPACE, INSTANCE_IP, SERVICE_ACCOUNT, ISTIO_METAJSON_LABELS, and where they are set "
        + "TRUST_DOMAIN, ISTIO_META_CLUSTER_ID, ISTIO_META_WORKLOAD_NAME, ISTIO_META_OWNER, ISTIO_META_POD_PORTS and "
        + "WORKLOAD_RSA_KEY_SIZE (keys of RSA with so many bits instead of ECDSA), LATEEN_DNS_BOUND_EGRESS (OFF, AUDIT or "
        + "ENFORCE instead of the mesh's setting), LATEEN_DNS_TTL (how many seconds names of the mesh may be kept; 30) and "
        + "\(ActivationReports.variable) (who is told of requests for revisions; \(ActivationReports.targetDefault))."

    var role: ProxyRole
    var pod: String
    var namespace: String
    var serviceAccount: String
    var address: IPAddress
    var labels: [String: String]
    /// The workload's own choice; `nil`: as the mesh says.
    var dnsBoundEgress: DNSBoundEgress.Mode?
    /// `NAMESPACE.svc.cluster.local`
    var domain: String
    /// How many seconds clients may keep names of the mesh.
    var nameTTL: UInt32 = 30
    /// Who is told of requests for revisions that may have no pods; `nil` only after a mistake.
    var autoscaler: StatSender.Target?
    /// More for the control plane, under Istio's names.
    private var metadata: [String: String]

    /// A day: who kept an address for longer would meet somebody else there.
    private static let nameTTLMax: UInt32 = 86_400

    /// - Throws: one sentence that names all variables that are missing or wrong.
    init(_ environment: [String: String], role: ProxyRole, domain: String?) throws {
        self.role = role
        var mistakes: [String] = []
        func value(_ name: String) -> String {
            if let value = environment[name], !value.isEmpty { return value }
            mistakes.append("\(name) is not set")
            return ""
        }
        self.pod = value("POD_NAME")
        self.namespace = value("POD_NAMESPACE")
        let text = value("INSTANCE_IP").split(separator: ",").first.map(String.init) ?? ""
        let address = IPAddress(text)
        if address == nil, !text.isEmpty { mistakes.append("INSTANCE_IP `\(text)` is no IP address") }
        self.address = address ?? .v4(0)
        let account = environment["SERVICE_ACCOUNT"] ?? ""
        self.serviceAccount = account.isEmpty ? "default" : account
        self.metadata = ["SERVICE_ACCOUNT": self.serviceAccount, "NAME": self.pod]
        for name in [
            "CLUSTER_ID", "WORKLOAD_NAME", "OWNER", "POD_PORTS", "MESH_ID", "NETWORK", "AUTO_REGISTER_GROUP",
        ] {
            self.metadata[name] = environment["ISTIO_META_" + name]
        }
        self.labels = [:]
        if let json = environment["ISTIO_METAJSON_LABELS"], !json.isEmpty {
            do { self.labels = try JSONDecoder().decode([String: String].self, from: Data(json.utf8)) } catch {
                mistakes.append("ISTIO_METAJSON_LABELS is no JSON object of strings")
            }
        }
        if let text = environment["LATEEN_DNS_BOUND_EGRESS"], !text.isEmpty {
            self.dnsBoundEgress = DNSBoundEgress.Mode(rawValue: text)
            if self.dnsBoundEgress == nil {
                mistakes.append("LATEEN_DNS_BOUND_EGRESS `\(text)` is none of OFF, AUDIT, ENFORCE")
            }
        }
        if let text = environment["LATEEN_DNS_TTL"], !text.isEmpty {
            if let seconds = UInt32(text), (1...Self.nameTTLMax).contains(seconds) {
                self.nameTTL = seconds
            } else {
                mistakes.append("LATEEN_DNS_TTL `\(text)` is no number of seconds from 1 to \(Self.nameTTLMax)")
            }
        }
        let autoscaler = environment[ActivationReports.variable] ?? ""
        self.autoscaler = StatSender.Target(autoscaler.isEmpty ? ActivationReports.targetDefault : autoscaler)
        if self.autoscaler == nil {
            mistakes.append("\(ActivationReports.variable) `\(autoscaler)` is no address such as ws://autoscaler:8080")
        }
        self.domain = domain ?? "\(self.namespace).svc.cluster.local"
        guard mistakes.isEmpty else {
            throw StartError("the environment does not describe the workload: " + mistakes.joined(separator: "; "))
        }
    }

    /// As the control plane knows it.
    var node: NodeIdentity {
        let app = self.labels["app"] ?? self.labels["app.kubernetes.io/name"] ?? self.pod
        return NodeIdentity(
            id: "\(self.role.rawValue)~\(self.address)~\(self.pod).\(self.namespace)~\(self.domain)",
            cluster: "\(app).\(self.namespace)",
            namespace: self.namespace,
            labels: self.labels,
            addresses: [self.address.description],
            version: LateenProxy.version,
            metadata: self.metadata
        )
    }

    /// The domain of the cluster: what follows `NAMESPACE.svc.`
    var clusterDomain: String {
        let prefix = "\(self.namespace).svc."
        return self.domain.hasPrefix(prefix) ? String(self.domain.dropFirst(prefix.count)) : "cluster.local"
    }
}
