import Foundation
import KubernetesAPI
import Logging
import PolicyEngine

/// Objects in files: read at the start, and again when a file changes.
struct ConfigurationFiles: Sendable {
    let paths: [String]
    let builder: ConfigurationBuilder
    let logger: Logger

    /// What tells one state of the files from another.
    struct Fingerprint: Equatable {
        var path: String
        var size: Int
        var changedAt: Date
    }

    /// Reads all files; throws if one cannot be read or is no YAML.
    func read(previous: PolicyConfiguration = .empty) throws -> PolicyConfiguration {
        var objects: [KubernetesObject] = []
        for file in try self.files() {
            guard let data = FileManager.default.contents(atPath: file) else { throw Failure("cannot read \(file)") }
            guard let text = String(data: data, encoding: .utf8) else { throw Failure("\(file) is not UTF-8") }
            for document in try YAML.documents(text, file: file) {
                let isList = document.value["kind"]?.string?.hasSuffix("List") == true
                let items = isList ? document.value["items"]?.array ?? [] : [document.value]
                objects += items.map { item in
                    var object = KubernetesObject(json: item)
                    // As `kubectl` would have it.
                    if object.namespace == nil { object.namespace = "default" }
                    return object
                }
            }
        }
        var builder = self.builder
        builder.previous = previous
        return builder.build(objects)
    }

    private func files() throws -> [String] {
        var files: [String] = []
        for path in self.paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw Failure("--config: there is no \(path)")
            }
            guard isFolder.boolValue else {
                files.append(path)
                continue
            }
            let names = try FileManager.default.subpathsOfDirectory(atPath: path)
            let wanted = names.filter { name in [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }
            files += wanted.sorted().map { path + "/" + $0 }
        }
        return files
    }

    func fingerprints() throws -> [Fingerprint] {
        try self.files().map { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return Fingerprint(
                path: path,
                size: attributes[.size] as? Int ?? 0,
                changedAt: attributes[.modificationDate] as? Date ?? .distantPast
            )
        }
    }

    /// Looks once a second whether files have changed, until cancelled. Files that cannot be read leave in force what
    /// was.
    func follow(
        after first: PolicyConfiguration,
        of state: [Fingerprint],
        onConfiguration: @Sendable (PolicyConfiguration) -> Void
    ) async {
        var configuration = first
        var seen = state
        while true {
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                return
            }
            do {
                let fingerprints = try self.fingerprints()
                defer { seen = fingerprints }
                guard fingerprints != seen else { continue }
                configuration = try self.read(previous: configuration)
                onConfiguration(configuration)
            } catch {
                self.logger.error("configuration not read, the last one stays", metadata: ["error": "\(error)"])
            }
        }
    }
}
