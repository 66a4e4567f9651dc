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

    package var request: String
    package var steps: [Step] = []
    package var isAllowed = true
    /// One sentence.
    package var outcome = ""
    /// The smallest object that would let it through, as YAML; `nil`: it is not blocked, or no object would help.
    package var remedy: String?

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
