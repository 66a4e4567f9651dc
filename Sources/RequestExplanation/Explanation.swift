/// The way that a request would take through the mesh, and why; for people and, as JSON, for programs.
package struct Explanation: Codable, Hashable, Sendable {
    /// What decides a step.
    package enum Aspect: String, Codable, Hashable, Sendable {
        case name, listener, chain, tls, policy, route, cluster, endpoint
    }

    package struct Step: Codable, Hashable, Sendable {
        /// The proxy that takes the step, `sleep-1.default (sidecar)`.
        package var proxy: String
        package var aspect: Aspect
        package var text: String
        /// The object that says so, `VirtualService default/reviews`, and its version.
        package var object: String?
        package var resourceVersion: String?

        package init(
            proxy: String,
            aspect: Aspect,
            text: String,
            object: String? = nil,
            resourceVersion: String? = nil
        ) {
            self.proxy = proxy
            self.aspect = aspect
            self.text = text
            self.object = object
            self.resourceVersion = resourceVersion
        }
    }

    /// A proxy on the way that asks or tells the policy engine, and the request as it comes in there.
    package struct EngineVisit: Codable, Hashable, Sendable {
        /// `NAMESPACE/NAME`
        package var pod: String
        /// The request comes from the workload beside the proxy, not to it.
        package var isOutbound: Bool
        /// Clusters of the engine; `nil`: it is not asked, or not told.
        package var checks: String?
        package var reports: String?
        package var failsOpen: Bool
        /// `ADDRESS:PORT`
        package var destination: String
        package var source: String?
        /// The client's identity, `spiffe://…`; `nil`: it shows none.
        package var peer: String?
        package var serverName: String?
        package var isTLS: Bool
        package var protocols: [String]
        package var method: String
        package var target: String
        package var authority: String
        /// `name: value`
        package var headers: [String]
        package var isSecure: Bool
    }

    package var request: String
    package var steps: [Step] = []
    package var isAllowed = true
    /// One sentence.
    package var outcome = ""
    /// The smallest object that would let it through, as YAML; `nil`: it is not blocked, or no object would help.
    package var remedy: String?
    /// In the order of the way.
    package var engines: [EngineVisit] = []

    package init(request: String) { self.request = request }

    /// As a terminal shows it: a block per proxy, a line per step.
    package var text: String {
        var lines = [self.request]
        var proxy = ""
        let width = self.steps.map(\.aspect.rawValue.count).max() ?? 0
        for step in self.steps {
            if step.proxy != proxy {
                lines += ["", step.proxy]
                proxy = step.proxy
            }
            let name = step.aspect.rawValue
            let source = step.object.map { object in
                "  [\(object)\(step.resourceVersion.map { " @\($0)" } ?? "")]"
            }
            let pad = String(repeating: " ", count: width - name.count)
            lines.append("  \(name)\(pad)  \(step.text)\(source ?? "")")
        }
        lines += ["", self.outcome]
        if let remedy = self.remedy {
            lines += ["", "This would allow it:", ""] + remedy.split(separator: "\n").map { "    \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
