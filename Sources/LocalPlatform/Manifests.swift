import Foundation
package import KubernetesAPI

/// Applies manifest files the way `kubectl apply` does, so that both may be used on the same objects.
package struct Manifests: Sendable {
    package struct Entry: Sendable {
        package var object: KubernetesObject
        package var file: String
        package var line: Int
        package var type: ResourceType
    }

    package enum Outcome: String, Sendable { case created, configured, unchanged }

    package let entries: [Entry]

    private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// Reads files and folders (their `*.yaml`, `*.yml` and `*.json`, not those of folders below).
    ///
    /// - Throws: `PlatformError` that names file, line and the mistake.
    package init(paths: [String]) throws {
        var entries: [Entry] = []
        for path in paths {
            for file in try Self.files(path) {
                let text: String
                do {
                    text = try String(contentsOfFile: file, encoding: .utf8)
                } catch {
                    throw PlatformError("cannot read \(file): \(error.localizedDescription)")
                }
                entries += try Self.entries(text: text, file: file)
            }
        }
        self.entries = entries
    }

    private init(entries: [Entry]) { self.entries = entries }

    /// Those from files of this name, and all others; both in order.
    package func separating(file name: String) -> (named: Manifests, others: Manifests) {
        func isNamed(_ entry: Entry) -> Bool { (entry.file as NSString).lastPathComponent == name }
        return (
            Manifests(entries: self.entries.filter(isNamed)), Manifests(entries: self.entries.filter { !isNamed($0) })
        )
    }

    /// With the name of the cluster for the control plane, which has it from its environment (`CLUSTER_ID`).
    package func placed(in network: PlatformNetwork) -> Manifests {
        Manifests(
            entries: self.entries.map { entry in
                guard entry.object.kind == "Deployment", entry.object.labels["istio"] == "pilot" else { return entry }
                var entry = entry
                let containers = entry.object.spec[path: "template", "spec", "containers"]?.array ?? []
                let variable: JSONValue = ["name": "CLUSTER_ID", "value": .string(network.cluster)]
                let changed = containers.map { container in
                    var container = container
                    let others = (container["env"]?.array ?? []).filter { $0["name"]?.string != "CLUSTER_ID" }
                    container["env"] = .array(others + [variable])
                    return container
                }
                entry.object.json[path: "spec", "template", "spec", "containers"] = .array(changed)
                return entry
            }
        )
    }

    package static func entries(text: String, file: String) throws -> [Entry] {
        let documents: [YAML.Document]
        do { documents = try YAML.documents(text, file: file) } catch { throw PlatformError("\(error)") }
        return try documents.flatMap { document -> [Entry] in
            let values =
                document.value["kind"]?.string == "List" ? document.value["items"]?.array ?? [] : [document.value]
            return try values.map { value in
                var object = KubernetesObject(json: value)
                guard let type = ResourceType.known(apiVersion: object.apiVersion, kind: object.kind) else {
                    throw PlatformError(
                        "\(file):\(document.line): unknown kind \(object.kind) of apiVersion \(object.apiVersion)"
                    )
                }
                guard !object.name.isEmpty else {
                    throw PlatformError("\(file):\(document.line): metadata.name is missing")
                }
                if type.isNamespaced { object.namespace = object.namespace ?? "default" }
                return Entry(object: object, file: file, line: document.line, type: type)
            }
        }
    }

    private static func files(_ path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw PlatformError("\(path) does not exist: --with takes a manifest file or a folder of them")
        }
        guard isFolder.boolValue else { return [path] }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        let files = names.filter { name in [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }
        // Definitions of types come before objects of these types.
        return files.filter { $0.hasPrefix("crd") }.map { "\(path)/\($0)" }
            + files.filter { !$0.hasPrefix("crd") }.map { "\(path)/\($0)" }
    }

    /// Applies one object. What somebody has changed since stays, as long as the manifest is the same.
    package static func apply(_ entry: Entry, client: KubernetesClient) async throws -> Outcome {
        var object = entry.object
        var plain = object
        plain.annotations[Self.lastApplied] = nil
        let applied = plain.json.text() + "\n"
        object.annotations[Self.lastApplied] = applied
        do {
            do {
                let present = try await client.get(entry.type, namespace: object.namespace, name: object.name)
                if present.annotations[Self.lastApplied] == applied { return .unchanged }
                _ = try await client.patch(
                    entry.type,
                    namespace: object.namespace,
                    name: object.name,
                    .merge(object.json)
                )
                return .configured
            } catch let error as KubernetesError where error.isNotFound {
                _ = try await client.create(entry.type, object)
                return .created
            }
        } catch let error as KubernetesError {
            throw PlatformError("\(entry.file):\(entry.line): \(object.kind) \(object.key): \(error.message)")
        }
    }
}

extension Manifests {
    /// Addresses for the browser of this machine: the node ports. A Service `NAME-door` leads to the page `/NAME`,
    /// unless its annotation `lateen.dev/page` names another.
    package var doors: [String] {
        self.entries.filter { $0.object.kind == "Service" }.flatMap { entry in
            (entry.object.spec["ports"]?.array ?? []).compactMap { port in
                guard let number = port["nodePort"]?.int else { return nil }
                let suffix = "-door"
                let name = entry.object.name.hasSuffix(suffix) ? entry.object.name.dropLast(suffix.count) : ""
                let page = entry.object.annotations["lateen.dev/page"] ?? String(name)
                let scheme = port["name"]?.string?.hasPrefix("https") == true ? "https" : "http"
                return "\(scheme)://127.0.0.1:\(number)/\(page)"
            }
        }
    }
}
