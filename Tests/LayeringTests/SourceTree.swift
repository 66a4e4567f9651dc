import Foundation

/// The repository that this file is part of.
enum SourceTree {
    /// `…/Tests/LayeringTests/SourceTree.swift` lies three levels down.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct File: Sendable {
        /// From the root on, `Sources/MeshModel/Names/CIDR.swift`.
        var path: String
        var text: String
    }

    /// The names in `Sources`, one per room.
    static func rooms() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.root.appending(path: "Sources").path)
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    /// Every path below a folder, from the root on.
    static func paths(below folder: String) -> [String] {
        let base = self.root.appending(path: folder)
        guard let walk = FileManager.default.enumerator(atPath: base.path) else { return [] }
        return walk.compactMap { ($0 as? String).map { "\(folder)/\($0)" } }.sorted()
    }

    static func swiftFiles(below folder: String) throws -> [File] {
        try self.paths(below: folder).filter { $0.hasSuffix(".swift") }.map { path in
            File(path: path, text: try String(contentsOf: self.root.appending(path: path), encoding: .utf8))
        }
    }

    struct Import: Equatable {
        var line: Int
        var module: String
    }

    /// The modules that a file imports, `import struct Foundation.Data` as Foundation.
    static func imports(_ text: String) -> [Import] {
        var found: [Import] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var words = line.split(whereSeparator: \.isWhitespace)[...]
            while let first = words.first, first.hasPrefix("@") || Self.accessLevels.contains(String(first)) {
                words = words.dropFirst()
            }
            guard words.first == "import", let second = words.dropFirst().first else { continue }
            let kinds = ["struct", "class", "enum", "protocol", "func", "typealias", "let", "var"]
            let name = kinds.contains(String(second)) ? words.dropFirst(2).first : second
            guard let module = name?.split(separator: ".").first else { continue }
            found.append(Import(line: index + 1, module: String(module)))
        }
        return found
    }

    private static let accessLevels: Set<String> = [
        "package", "public", "internal", "fileprivate", "private",
    ]
}
