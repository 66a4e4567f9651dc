import KubernetesAPI

/// Adds sidecars to the pods and pod templates in a file of manifests.
package struct ManifestInjector: Sendable {
    /// Why a file cannot be injected into.
    package struct Mistake: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    private let injector: SidecarInjector

    package init(_ injector: SidecarInjector) { self.injector = injector }

    /// The same documents, with sidecars where they belong.
    ///
    /// Documents that need none come out as they went in, comments and all; the others are written anew. Pods are
    /// taken to be wanted in the mesh unless they say otherwise: somebody asked for the injection.
    package func inject(_ text: String, file: String = "<standard input>") throws(Mistake) -> String {
        var result = ""
        var line = 0
        for part in Self.parts(of: text) {
            let value: JSONValue
            do {
                value = try YAML.parse(part.body, file: file)
            } catch {
                throw Mistake(
                    description: "\(error.file):\(error.line.map { "\($0 + line)" } ?? "\(line + 1)"): \(error.message)"
                )
            }
            let injected = self.inject(value)
            result += part.marker
            result += injected == value ? part.body : YAML.serialize(injected)
            if !result.isEmpty, !result.hasSuffix("\n") { result += "\n" }
            line += part.lines
        }
        return result
    }

    /// The object with sidecars in all pods that it describes.
    private func inject(_ object: JSONValue) -> JSONValue {
        switch object["kind"]?.string {
        case "Pod": return self.inject(object, at: [], in: object)
        case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController":
            return self.inject(object, at: ["spec", "template"], in: object)
        case "CronJob": return self.inject(object, at: ["spec", "jobTemplate", "spec", "template"], in: object)
        case "List":
            var object = object
            object["items"] = .array((object["items"]?.array ?? []).map { self.inject($0) })
            return object
        default: return object
        }
    }

    private func inject(_ object: JSONValue, at path: [String], in owner: JSONValue) -> JSONValue {
        guard let pod = object[path: path], pod[path: "spec", "containers"] != nil else { return object }
        let namespace = owner[path: "metadata", "namespace"]?.string ?? "default"
        let decision = self.injector.decision(
            pod: pod,
            namespace: namespace,
            namespaceLabels: ["istio-injection": "enabled"]
        )
        guard decision == .inject else { return object }
        var object = object
        let name = path.isEmpty ? nil : owner[path: "metadata", "name"]?.string
        object[path: path] = self.injector.inject(pod, owner: name)
        return object
    }

    private struct Part {
        /// The line that separates it from the part before.
        var marker = ""
        var body = ""
        var lines = 0
    }

    /// The documents of a stream; a line that begins with `---` always starts one (YAML 1.2 section 9.1.2).
    private static func parts(of text: String) -> [Part] {
        var parts = [Part()]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let isMarker = line == "---" || line.hasPrefix("--- ") || line.hasPrefix("---\r")
            if isMarker { parts.append(Part()) }
            let last = parts.count - 1
            if isMarker {
                parts[last].marker = line + "\n"
            } else {
                parts[last].body += line + "\n"
            }
            parts[last].lines += 1
        }
        // Splitting leaves an empty line after the last end of line.
        if text.hasSuffix("\n") || text.isEmpty { parts[parts.count - 1].body.removeLast() }
        return parts.filter { !($0.marker.isEmpty && $0.body.isEmpty) }
    }
}
