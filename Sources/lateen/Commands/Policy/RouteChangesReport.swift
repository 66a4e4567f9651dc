import Foundation
import KubernetesAPI
import PolicyEngine

/// Says of an explanation which rules of the policy engine may change the way that it shows.
struct RouteChangesReport {
    /// A proxy that asks the engine, and a rule that counts there.
    private struct Finding {
        /// `NAMESPACE/NAME`
        var pod: String
        var change: RouteChanges.Change
    }

    private let findings: [Finding]
    /// Why rules could not be looked at; `nil`: they were, or nobody asks the engine.
    private let obstacle: String?

    /// - Parameters:
    ///   - explanation: as the control plane says it.
    ///   - pod: the client's, `NAMESPACE/NAME`.
    ///   - rootNamespace: whose rules hold for all.
    ///   - kubectl: reads the rules.
    init(_ explanation: JSONValue, from pod: String, rootNamespace: String, kubectl: Kubectl) {
        let visits = (explanation["engines"]?.array ?? []).filter { $0["checks"]?.string != nil }
        guard !visits.isEmpty else {
            self.findings = []
            self.obstacle = nil
            return
        }
        do {
            let rules = try Self.objects("rules.config.istio.io", kubectl)
            // Who does not know of manifests has none.
            let manifests = (try? Self.objects("attributemanifests.config.istio.io", kubectl)) ?? []
            let changes = RouteChanges(rules + manifests, rootNamespace: rootNamespace)
            self.findings = visits.enumerated().flatMap { index, visit in
                let name = visit["pod"]?.string ?? ""
                let request = Self.request(visit, isFirst: index == 0 && name == pod)
                return changes.all(for: request).map { Finding(pod: name, change: $0) }
            }
            self.obstacle = nil
        } catch {
            self.findings = []
            self.obstacle = "\(error)"
        }
    }

    private static func objects(_ resource: String, _ kubectl: Kubectl) throws -> [KubernetesObject] {
        let list = try JSONValue.parse(try kubectl.run(["get", resource, "-A", "-o", "json"]))
        return (list["items"]?.array ?? []).map { KubernetesObject(json: $0) }
    }

    /// Only the client's own proxy certainly sees the request as it was given.
    private static func request(_ visit: JSONValue, isFirst: Bool) -> RouteChanges.Request {
        let isOutbound = visit["isOutbound"]?.bool == true
        var head: RouteChanges.Head?
        if isFirst, isOutbound {
            var headers: [String: String] = [:]
            for line in visit["headers"]?.array ?? [] {
                guard let line = line.string, let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...]
                headers[line[..<colon].lowercased()] = value.trimmingCharacters(in: .whitespaces)
            }
            head = RouteChanges.Head(
                method: visit["method"]?.string ?? "GET",
                target: visit["target"]?.string ?? "/",
                authority: visit["authority"]?.string ?? "",
                headers: headers
            )
        }
        let namespace = visit["pod"]?.string?.split(separator: "/").first.map(String.init) ?? ""
        return RouteChanges.Request(namespace: namespace, isOutbound: isOutbound, head: head)
    }

    /// A line for each rule, behind an empty one; empty: there is nothing to say.
    var text: String {
        if let obstacle {
            return
                "\nRules of the policy engine may change the route at run time; they could not be read: \(obstacle)\n"
        }
        if self.findings.isEmpty { return "" }
        let lines = self.findings.map { "  \($0.pod): \($0.change.text)\n" }
        return "\nThe policy engine may change the way, which is not followed here:\n" + lines.joined()
    }

    /// The explanation with the rules in `routeChanges`.
    func added(to explanation: JSONValue) -> JSONValue {
        var members = explanation.object ?? [:]
        members["routeChanges"] = .array(
            self.findings.map { finding in
                [
                    "pod": .string(finding.pod), "rule": .string(finding.change.rule),
                    "changes": .array(finding.change.names.map(JSONValue.string)),
                    "condition": finding.change.condition.map(JSONValue.string) ?? .null,
                    "holds": .bool(finding.change.holds),
                ]
            }
        )
        if let obstacle { members["routeChangesUnknown"] = .string(obstacle) }
        return .object(members)
    }
}
