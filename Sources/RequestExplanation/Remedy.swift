import MeshModel
import TrafficEngine

/// The smallest objects that let a blocked request through.
enum Remedy {
    /// For a destination that nobody declared.
    static func serviceEntry(for question: Question) -> String {
        let isAddress = IPAddress(question.host) != nil
        let name = question.host.map { $0.isLetter || $0.isNumber ? $0 : "-" }
        let word = question.isTLS ? "TLS" : question.isHTTP ? "HTTP" : "TCP"
        let host = isAddress ? "\(String(name)).external" : question.host
        var lines = [
            "apiVersion: networking.istio.io/v1", "kind: ServiceEntry", "metadata:",
            "  name: \(String(name.prefix(63)))", "  namespace: \(question.workload.namespace)", "spec:", "  hosts:",
            "  - \(host)",
        ]
        if isAddress { lines += ["  addresses:", "  - \(question.host)/\(question.host.contains(":") ? 128 : 32)"] }
        lines += [
            "  ports:", "  - number: \(question.port)", "    name: \(word.lowercased())", "    protocol: \(word)",
            "  location: MESH_EXTERNAL", "  resolution: \(isAddress ? "NONE" : "DNS")",
        ]
        return lines.joined(separator: "\n")
    }

    /// For a request that no AuthorizationPolicy allows.
    static func allow(_ question: Question, at hop: Explainer.Hop) -> String {
        let workload = hop.proxy.key.workload
        let app = hop.proxy.key.labels["app"] ?? hop.proxy.key.labels["istio"]
        let key = hop.proxy.key.labels["app"] == nil ? "istio" : "app"
        var lines = [
            "apiVersion: security.istio.io/v1", "kind: AuthorizationPolicy", "metadata:",
            "  name: allow-\(hop.client.serviceAccount)", "  namespace: \(workload.namespace)", "spec:",
        ]
        if let app { lines += ["  selector:", "    matchLabels:", "      \(key): \(app)"] }
        lines += ["  action: ALLOW", "  rules:"]
        if let principal = hop.peer?.uris.first?.dropFirst("spiffe://".count) {
            lines += ["  - from:", "    - source:", "        principals: [\"\(principal)\"]"]
        } else if let address = hop.facts.source {
            lines += ["  - from:", "    - source:", "        ipBlocks: [\"\(address)/32\"]"]
        } else {
            lines += ["  - {}"]
            return lines.joined(separator: "\n")
        }
        if hop.isHTTP {
            let path = question.target.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "/"
            lines += [
                "    to:", "    - operation:", "        methods: [\"\(question.method)\"]",
                "        paths: [\"\(path)\"]",
            ]
        }
        return lines.joined(separator: "\n")
    }

    /// For a client that does not speak mutual TLS to a workload that asks for it.
    static func permissive(_ policy: PeerPolicy) -> String {
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata:
          name: \(policy.source.id.name)
          namespace: \(policy.source.id.namespace)
        spec:
          mtls:
            mode: PERMISSIVE
        """
    }
}
