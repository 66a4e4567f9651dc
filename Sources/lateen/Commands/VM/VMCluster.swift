import Foundation
import KubernetesAPI

/// A WorkloadGroup, as far as a bundle needs it.
struct VMGroup {
    var account: String
    var labels: [String: String]
    var network: String
    /// How a machine tells whether its workload is well, as the group says it.
    var probe: JSONValue?

    init(_ object: JSONValue) {
        let spec = object["spec"] ?? .null
        let template = spec["template"] ?? .null
        let account = template.field("service_account")?.string ?? ""
        self.account = account.isEmpty ? "default" : account
        // As the entries that are made from it will have them.
        self.labels = (template["labels"]?.stringMap ?? [:])
            .merging(spec[path: "metadata", "labels"]?.stringMap ?? [:]) { $1 }
        self.network = template["network"]?.string ?? ""
        self.probe = spec["probe"]
    }
}

/// Asks the cluster for what a machine needs to join the mesh.
struct VMCluster {
    let kubectl: Kubectl
    let namespace: String
    /// The control plane's namespace.
    let root: String

    func group(_ name: String) throws -> VMGroup {
        let object = try self.get(
            "workloadgroup",
            name,
            self.namespace,
            orElse: "there is no WorkloadGroup `\(name)` in namespace `\(self.namespace)`: make it first "
                + "(kubectl apply), or say another with --group and -n"
        )
        return VMGroup(object)
    }

    func checkAccount(_ account: String, of group: String) throws {
        _ = try self.get(
            "serviceaccount",
            account,
            self.namespace,
            orElse: "there is no ServiceAccount `\(account)` in namespace `\(self.namespace)`, which WorkloadGroup "
                + "`\(group)` names: kubectl create serviceaccount \(account) -n \(self.namespace)"
        )
    }

    /// A token for the mesh's authority and nobody else.
    func token(of account: String, seconds: Int) throws -> String {
        let answer = try self.kubectl.run([
            "create", "token", account, "-n", self.namespace, "--audience", "istio-ca", "--duration", "\(seconds)s",
        ])
        return String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The roots that the control plane puts into each namespace.
    func rootCertificate() throws -> String {
        let name = "istio-ca-root-cert"
        let missing =
            "there is no ConfigMap `\(name)` with a root-cert.pem in namespace `\(self.namespace)`: is the control "
            + "plane running?"
        let object = try self.get("configmap", name, self.namespace, orElse: missing)
        guard let text = object[path: "data", "root-cert.pem"]?.string, !text.isEmpty else {
            throw CommandFailure(description: missing)
        }
        return text
    }

    func trustDomain() throws -> String {
        let object = try self.get(
            "configmap",
            "istio",
            self.root,
            orElse: "there is no ConfigMap `istio` in namespace `\(self.root)`: say where the control plane is with "
                + "--root-namespace"
        )
        let text = object[path: "data", "mesh"]?.string ?? ""
        let settings = try YAML.parse(text.isEmpty ? "{}" : text, file: "ConfigMap \(self.root)/istio")
        return settings["trustDomain"]?.string ?? "cluster.local"
    }

    /// Where Service istiod can be reached from elsewhere: the widest of its addresses.
    func controlPlane() throws -> (String, Int) {
        let service = try self.get(
            "service",
            "istiod",
            self.root,
            orElse: "there is no Service `istiod` in namespace `\(self.root)`: say where the control plane is with "
                + "--control-plane HOST:PORT"
        )
        let ingress = service[path: "status", "loadBalancer", "ingress"]?.array?.first
        let spec = service["spec"] ?? .null
        let candidates = [
            ingress?["ip"]?.string, ingress?["hostname"]?.string, spec["externalIPs"]?.array?.first?.string,
            spec["clusterIP"]?.string,
        ]
        guard let host = candidates.compactMap({ $0 }).first(where: { !$0.isEmpty && $0 != "None" }) else {
            throw CommandFailure(
                description: "Service \(self.root)/istiod has no address: say one with --control-plane HOST:PORT"
            )
        }
        return (host, 15012)
    }

    private func get(_ kind: String, _ name: String, _ namespace: String, orElse missing: String) throws -> JSONValue {
        do {
            return try JSONValue.parse(try self.kubectl.run(["get", kind, name, "-n", namespace, "-o", "json"]))
        } catch let error as CommandFailure where error.description.contains("(NotFound)") {
            throw CommandFailure(description: missing)
        }
    }
}
