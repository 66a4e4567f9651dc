import Foundation
import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct ObjectFilesTests {
    /// A folder with these files, for as long as `body` runs.
    private func folder<Result>(_ files: [String: String], _ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
        return try body(folder.path)
    }

    @Test("Objects are read file by file, Lists item by item, and have a namespace as kubectl gives them one")
    func reads() throws {
        let files = [
            "b.yaml": "kind: rule\nmetadata: {name: r1, namespace: shop}\n---\nkind: rule\nmetadata: {name: r2}\n",
            "a/list.yml": "kind: List\nitems:\n- {kind: handler, metadata: {name: h}}\n",
            "c.json": #"{"kind": "instance", "metadata": {"name": "i"}}"#, "notes.txt": "no object",
        ]
        let objects = try self.folder(files) { try ObjectFiles([$0]).objects() }
        #expect(
            objects.map(\.description) == [
                "handler default/h", "rule shop/r1", "rule default/r2", "instance default/i",
            ]
        )
    }

    @Test("What cannot be read is named")
    func mistakes() throws {
        #expect(throws: ObjectFiles.Mistake.self) { try ObjectFiles(["/nowhere/at/all"]).objects() }
        _ = try self.folder(["a.yaml": "kind: ["]) { path in
            #expect(throws: YAMLError.self) { try ObjectFiles([path]).objects() }
        }
    }
}
