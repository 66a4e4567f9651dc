internal import Foundation
package import KubernetesAPI

/// Objects in files, and in the files of folders.
package struct ObjectFiles: Sendable {
    /// Why files cannot be read.
    package struct Mistake: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// What tells one state of the files from another.
    package struct Fingerprint: Equatable, Sendable {
        var path: String
        var size: Int
        var changedAt: Date
    }

    package let paths: [String]

    package init(_ paths: [String]) { self.paths = paths }

    /// Reads all files; throws if one cannot be read or is no YAML.
    package func objects() throws -> [KubernetesObject] {
        var objects: [KubernetesObject] = []
        for file in try self.files() {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw Mistake(description: "cannot read \(file)")
            }
            guard let text = String(data: data, encoding: .utf8) else {
                throw Mistake(description: "\(file) is not UTF-8")
            }
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
        return objects
    }

    package func fingerprints() throws -> [Fingerprint] {
        try self.files().map { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return Fingerprint(
                path: path,
                size: attributes[.size] as? Int ?? 0,
                changedAt: attributes[.modificationDate] as? Date ?? .distantPast
            )
        }
    }

    private func files() throws -> [String] {
        var files: [String] = []
        for path in self.paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw Mistake(description: "--config: there is no \(path)")
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
}
