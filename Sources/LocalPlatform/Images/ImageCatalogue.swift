package import Foundation
import KubernetesAPI

/// A program of this machine under the name of an image.
package struct CatalogueImage: Sendable, Hashable {
    /// A folder or file of this machine that the container sees at `target`, read-only.
    package struct Mount: Sendable, Hashable {
        package var source: String
        package var target: String
    }

    package var name: String
    /// The entry point; replaced by a container's `command`.
    package var command: [String]
    /// Replaced by a container's `args`, and dropped when it has a `command`.
    package var arguments: [String]
    package var environment: [String: String]
    package var mounts: [Mount]
    package var folder: String?
    package var user: Int?
    package var group: Int?
    /// The catalogue file that names it.
    package var origin: String
}

/// Names of images and the programs that they stand for; there is no registry.
///
/// A catalogue file is YAML:
///
///     images:
///     - name: example/web          # any tag fits; with a tag, only that one
///       command: [/usr/bin/python3, /app/web.py]
///       args: []
///       env: {PORT: "8080"}
///       mounts:
///       - {from: src, to: /app}    # relative to the file
///       workingDir: /app
///       user: 1000
package struct ImageCatalogue: Sendable {
    package private(set) var images: [String: CatalogueImage] = [:]
    /// Files that were read, for messages.
    package private(set) var files: [String] = []

    package init() {}

    /// Adds the images of a file; a later file wins over an earlier one. `variables` are what `${NAME}` in a mount
    /// stands for.
    ///
    /// - Throws: `PlatformError` that names the file, the image and the field.
    package mutating func add(file: URL, variables: [String: String] = [:]) throws {
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw PlatformError("cannot read the image catalogue \(file.path): \(error.localizedDescription)")
        }
        try self.add(text: text, file: file.path, base: file.deletingLastPathComponent(), variables: variables)
    }

    /// Adds the images of a text; `file` is named in errors, `base` is where relative paths start.
    package mutating func add(text: String, file: String, base: URL, variables: [String: String] = [:]) throws {
        let document: JSONValue
        do { document = try YAML.parse(text, file: file) } catch { throw PlatformError("\(error)") }
        guard let entries = document["images"]?.array else {
            throw PlatformError("\(file): expected a list `images`")
        }
        for (index, entry) in entries.enumerated() {
            guard let name = entry["name"]?.string, !name.isEmpty else {
                throw PlatformError("\(file): images[\(index)].name is missing")
            }
            self.images[name] = try Self.image(entry, name: name, file: file, base: base, variables: variables)
        }
        if !self.files.contains(file) { self.files.append(file) }
    }

    /// The image for a container's `image`: the exact name, else the name without tag, digest and registry.
    package func image(_ reference: String) -> CatalogueImage? {
        for candidate in Self.candidates(reference) {
            if let found = self.images[candidate] { return found }
        }
        return nil
    }

    /// What the user reads when an image is not there.
    package func missing(_ reference: String) -> String {
        let known = self.images.keys.sorted().joined(separator: ", ")
        let where_ = self.files.isEmpty ? "" : " (\(self.files.joined(separator: ", ")))"
        return "image \"\(reference)\" is not in the image catalogue\(where_): images are names of programs on this "
            + "machine; add it to a catalogue file and run `lateen up --images FILE`, or use one of: \(known)"
    }

    /// `docker.io/a/b:1@sha256:…` is looked up as written, then as `docker.io/a/b:1`, `docker.io/a/b`, `a/b:1`, `a/b`.
    static func candidates(_ reference: String) -> [String] {
        var candidates = [reference]
        var name = reference
        if let digest = name.firstIndex(of: "@") {
            name = String(name[..<digest])
            candidates.append(name)
        }
        var names = [name]
        if let slash = name.firstIndex(of: "/") {
            let registry = name[..<slash]
            if registry.contains(".") || registry.contains(":") || registry == "localhost" {
                names.append(String(name[name.index(after: slash)...]))
            }
        }
        for name in names {
            candidates.append(name)
            let path = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
            if let colon = name[path...].firstIndex(of: ":") { candidates.append(String(name[..<colon])) }
        }
        return candidates
    }

    private static func image(
        _ entry: JSONValue,
        name: String,
        file: String,
        base: URL,
        variables: [String: String]
    ) throws -> CatalogueImage {
        func fail(_ problem: String) -> PlatformError { PlatformError("\(file): image \(name): \(problem)") }
        let known: Set = ["name", "command", "args", "env", "mounts", "workingDir", "user", "group"]
        if let unknown = entry.object?.keys.sorted().first(where: { !known.contains($0) }) {
            throw fail("unknown field `\(unknown)`; known are \(known.sorted().joined(separator: ", "))")
        }
        func strings(_ field: String) throws -> [String] {
            guard let value = entry[field] else { return [] }
            guard let list = value.array else { throw fail("`\(field)` must be a list of texts") }
            return try list.map { element in
                guard let text = element.string else { throw fail("`\(field)` must be a list of texts; quote numbers") }
                return text
            }
        }
        let mounts = try (entry["mounts"]?.array ?? []).map { mount in
            func filled(_ text: String?) -> String? {
                text.map { variables.reduce($0) { $0.replacingOccurrences(of: "${\($1.key)}", with: $1.value) } }
            }
            guard let from = filled(mount["from"]?.string), let to = filled(mount["to"]?.string), to.hasPrefix("/")
            else { throw fail("each of `mounts` needs `from` and an absolute `to`") }
            return CatalogueImage.Mount(
                source: (from.hasPrefix("/") ? URL(fileURLWithPath: from) : base.appendingPathComponent(from))
                    .standardizedFileURL.path,
                target: to
            )
        }
        let command = try strings("command")
        let environment = try (entry["env"]?.object ?? [:]).mapValues { value in
            guard let text = value.string else { throw fail("values of `env` must be texts; quote numbers") }
            return text
        }
        return CatalogueImage(
            name: name,
            command: command,
            arguments: try strings("args"),
            environment: environment,
            mounts: mounts,
            folder: entry["workingDir"]?.string,
            user: entry["user"]?.int,
            group: entry["group"]?.int,
            origin: file
        )
    }
}
