import MeshModel
import TrafficEngine

extension Remedy {
    /// For a port that no Gateway opens.
    static func gateway(_ question: Question, at hop: Explainer.Hop, port: Port) -> String {
        let labels = hop.proxy.key.labels
        let selector = ["istio", "app"].first { labels[$0] != nil }
        let word = hop.facts.isTLS ? "TLS" : hop.isHTTP ? "HTTP" : "TCP"
        var lines = [
            "apiVersion: networking.istio.io/v1", "kind: Gateway", "metadata:", "  name: \(self.name(question.host))",
            "  namespace: \(hop.proxy.key.workload.namespace)", "spec:",
        ]
        if let selector { lines += ["  selector:", "    \(selector): \(labels[selector] ?? "")"] }
        lines += [
            "  servers:", "  - port:", "      number: \(port)", "      name: \(word.lowercased())-\(port)",
            "      protocol: \(word)", "    hosts:", "    - \"\(question.host)\"",
        ]
        if word == "TLS" { lines += ["    tls:", "      mode: PASSTHROUGH"] }
        return lines.joined(separator: "\n")
    }

    /// For a host that no VirtualService gives a route to at a gateway, or beside a client.
    static func virtualService(
        _ question: Question,
        to host: String,
        at hop: Explainer.Hop,
        gateways: [String]
    ) -> String {
        var lines = [
            "apiVersion: networking.istio.io/v1", "kind: VirtualService", "metadata:",
            "  name: \(self.name(question.host))", "  namespace: \(hop.proxy.key.workload.namespace)", "spec:",
            "  hosts:", "  - \"\(question.host)\"",
        ]
        if gateways != ["mesh"] { lines += ["  gateways:"] + gateways.map { "  - \($0)" } }
        return (lines + self.route(question, to: host)).joined(separator: "\n")
    }

    /// For a request that no rule of a VirtualService matches.
    static func furtherRoute(_ question: Question, to host: String, of rules: ObjectReference) -> String {
        (["# behind the other rules of \(rules)", "spec:"] + self.route(question, to: host)).joined(separator: "\n")
    }

    private static func route(_ question: Question, to host: String) -> [String] {
        [
            "  http:", "  - route:", "    - destination:", "        host: \(host)", "        port:",
            "          number: \(question.port)",
        ]
    }

    /// For a subset that is missing, or whose labels no pod has.
    static func subset(
        _ subset: String,
        of host: String,
        labels: [String: String],
        in namespace: String,
        name: String? = nil
    ) -> String {
        let lines = [
            "apiVersion: networking.istio.io/v1", "kind: DestinationRule", "metadata:",
            "  name: \(name ?? self.name(host))", "  namespace: \(namespace)", "spec:", "  host: \"\(host)\"",
            "  subsets:", "  - name: \(subset)", "    labels:",
        ]
        return (lines + labels.sorted { $0.key < $1.key }.map { "      \($0.key): \"\($0.value)\"" })
            .joined(separator: "\n")
    }

    /// For a request that a rule denies: no other policy outweighs it, so the rule itself must leave the client out.
    static func exempt(_ hop: Explainer.Hop, from rule: String) -> String {
        let source: String
        if let principal = hop.peer?.uris.first?.dropFirst("spiffe://".count) {
            source = "notPrincipals: [\"\(principal)\"]"
        } else {
            source = "notIpBlocks: [\"\(hop.facts.source.map(\.description) ?? "")\"]"
        }
        let title = PolicyName(rule).map { "AuthorizationPolicy \($0.description)" } ?? rule
        return [
            "# \(title), in each source that it has, or as the only one", "spec:", "  rules:", "  - from:",
            "    - source:", "        \(source)",
        ]
        .joined(separator: "\n")
    }

    /// A name for an object that is about a host.
    private static func name(_ host: String) -> String {
        let letters = host.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" }
        return String(String(letters).drop { $0 == "-" }.prefix(63))
    }
}
