import Foundation
import Glibc
import LocalPlatform
import Testing

@Suite struct VolumeFolderTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("volume-\(UUID().uuidString)")

    private func file(_ text: String) -> VolumeFolder.File { VolumeFolder.File(bytes: Data(text.utf8), mode: 0o644) }

    private func text(_ name: String) -> String? {
        try? String(contentsOf: self.folder.appendingPathComponent(name), encoding: .utf8)
    }

    @Test("With a group, private files are readable for it, and for nobody else")
    func group() throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let volume = VolumeFolder(url: self.folder, group: Int(getgid()))

        try volume.write(["key": VolumeFolder.File(bytes: Data("x".utf8), mode: 0o600)])

        let place = self.folder.appendingPathComponent("key").resolvingSymlinksInPath().path
        let attributes = try FileManager.default.attributesOfItem(atPath: place)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
        #expect(attributes[.groupOwnerAccountID] as? Int == Int(getgid()))
    }

    @Test("Files are replaced as a whole, names that are gone go, and equal content changes nothing")
    func replaces() throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let volume = VolumeFolder(url: self.folder)

        try volume.write(["a": self.file("1"), "deep/b": self.file("2")])
        #expect(self.text("a") == "1")
        #expect(self.text("deep/b") == "2")

        try volume.write(["a": self.file("3"), "c": self.file("4")])
        #expect(self.text("a") == "3")
        #expect(self.text("deep/b") == nil)
        #expect(self.text("c") == "4")

        let link = self.folder.appendingPathComponent("..data").path
        let before = try FileManager.default.destinationOfSymbolicLink(atPath: link)
        try volume.write(["a": self.file("3"), "c": self.file("4")])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: self.folder.path).count == 4)
    }
}
