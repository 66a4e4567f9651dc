import Foundation
import KubernetesAPI
import PolicyEngine

/// Asks engines in their pods how they decide.
struct EngineInspector {
    let kubectl: Kubectl

    /// A pod behind a cluster such as `outbound|9091||istio-policy.istio-system.svc.cluster.local`.
    func pod(behind cluster: String) throws -> (name: String, namespace: String) {
        let host = cluster.split(separator: "|", omittingEmptySubsequences: false).last.map(String.init) ?? cluster
        let parts = host.split(separator: ".").map(String.init)
        guard parts.count >= 3, parts[2] == "svc" else {
            throw CommandFailure(description: "\(host) is no Service of the cluster, so its pods cannot be asked")
        }
        let service = try JSONValue.parse(
            try self.kubectl.run(["get", "service", "-n", parts[1], parts[0], "-o", "json"])
        )
        let labels = service[path: "spec", "selector"]?.stringMap ?? [:]
        let selector = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        guard !selector.isEmpty else {
            throw CommandFailure(description: "the Service \(parts[0]).\(parts[1]) selects no pods")
        }
        let list = try JSONValue.parse(
            try self.kubectl.run(["get", "pods", "-n", parts[1], "-l", selector, "-o", "json"])
        )
        let running = (list["items"]?.array ?? []).first {
            $0[path: "metadata", "deletionTimestamp"] == nil && $0[path: "status", "phase"]?.string == "Running"
        }
        guard let name = running?[path: "metadata", "name"]?.string else {
            throw CommandFailure(description: "no pod of the Service \(parts[0]).\(parts[1]) runs")
        }
        return (name, parts[1])
    }

    func trace(
        _ attributes: JSONValue,
        pod: String,
        namespace: String,
        asksAdapters: Bool
    ) throws -> PolicyTrace {
        let question = TraceQuestion.text(attributes: attributes, asksAdapters: asksAdapters)
        let data = try self.kubectl.exec(
            pod,
            namespace: namespace,
            container: try self.container(of: pod, namespace: namespace),
            ["lateen-control", "request", "--post", "debug/trace"],
            input: Data(question.utf8)
        )
        do {
            return try JSONDecoder().decode(PolicyTrace.self, from: data)
        } catch {
            throw CommandFailure(
                description:
                    "\(namespace)/\(pod) answers with no trace: \(String(decoding: data.prefix(200), as: UTF8.self))"
            )
        }
    }

    /// The container that runs the engine.
    private func container(of pod: String, namespace: String) throws -> String {
        let object = try JSONValue.parse(try self.kubectl.run(["get", "pod", "-n", namespace, pod, "-o", "json"]))
        let containers = object[path: "spec", "containers"]?.array ?? []
        let engine = containers.first { $0["args"]?.array?.first?.string == "mixer" } ?? containers.first
        return engine?["name"]?.string ?? "mixer"
    }
}
