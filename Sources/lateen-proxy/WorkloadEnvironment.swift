import Foundation
import MeshModel
import MeshSubscribe

/// What the environment says of the workload that the proxy stands beside.
struct WorkloadEnvironment: Sendable {
    var pod: String
    var namespace: String
    var address: IPAddress
    var labels: [String: String]
    /// `NAMESPACE.svc.cluster.local`
    var domain: String

    /// - Throws: one sentence that names all variables that are missing or wrong.
    init(_ environment: [String: String], domain: String?) throws {
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
        self.labels = [:]
        if let json = environment["ISTIO_METAJSON_LABELS"], !json.isEmpty {
            do { self.labels = try JSONDecoder().decode([String: String].self, from: Data(json.utf8)) } catch {
                mistakes.append("ISTIO_METAJSON_LABELS is no JSON object of strings")
            }
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
            id: "sidecar~\(self.address)~\(self.pod).\(self.namespace)~\(self.domain)",
            cluster: "\(app).\(self.namespace)",
            namespace: self.namespace,
            labels: self.labels,
            addresses: [self.address.description],
            version: LateenProxy.version
        )
    }

    /// The domain of the cluster: what follows `NAMESPACE.svc.`
    var clusterDomain: String {
        let prefix = "\(self.namespace).svc."
        return self.domain.hasPrefix(prefix) ? String(self.domain.dropFirst(prefix.count)) : "cluster.local"
    }
}
