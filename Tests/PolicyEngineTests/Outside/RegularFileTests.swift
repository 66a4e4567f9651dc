import Foundation
import KubernetesAPI
import Logging
import PolicyEngine
import Testing

/// A folder of one's own, and a FIFO in it that nobody writes to.
func withFIFO<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fifo-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }  // What stays is in the temporary folder.
    let path = folder.appending(path: "pipe").path
    try #require(mkfifo(path, 0o600) == 0)
    return try body(path)
}

@Suite struct RegularFileTests {
    private func refusal(_ path: String, bytesMax: Int = 10) -> String? {
        do throws(RegularFile.Mistake) {
            _ = try RegularFile.bytes(at: path, bytesMax: bytesMax)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("A file is read up to its limit, also through a link")
    func reads() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // What stays is in the temporary folder.
        let file = folder.appending(path: "file")
        let link = folder.appending(path: "link")
        try Data("0123456789".utf8).write(to: file)
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)

        #expect(try RegularFile.bytes(at: file.path, bytesMax: 10) == Array("0123456789".utf8))
        #expect(try RegularFile.bytes(at: link.path, bytesMax: 10) == Array("0123456789".utf8))
        #expect(self.refusal(file.path, bytesMax: 9)?.hasSuffix("it has more than 9 bytes") == true)
    }

    @Test("What is no file is refused, and not waited for", .timeLimit(.minutes(1)))
    func refuses() throws {
        try withFIFO { #expect(self.refusal($0)?.hasSuffix("it is no regular file") == true) }
        #expect(self.refusal("/")?.hasSuffix("it is no regular file") == true)
        #expect(self.refusal("/dev/zero")?.hasSuffix("it is no regular file") == true)
        #expect(self.refusal("/nowhere/at/all")?.contains("cannot be read") == true)
    }

    @Test("A handler whose files cannot be used fails its calls, with the reason", .timeLimit(.minutes(1)))
    func handler() async {
        var objects = outsideObjects(address: "127.0.0.1:1")
        objects[2].json[path: "spec", "connection"] = [
            "address": "adapter.test:1", "timeout": "30s", "authentication": ["tls": ["ca_certificates": "/"]],
        ]
        let configuration = PolicyDispatcher.of(objects).configuration
        #expect(configuration.diagnoses.isEmpty)
        let engine = PolicyServer(configuration, logger: Logger(label: "test"))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await engine.run() }
            let answer = await engine.dispatcher.check(request([:]))
            group.cancelAll()

            #expect(answer.status.code == .unavailable)
            #expect(answer.status.message.hasSuffix("/ cannot be read: it is no regular file"))
        }
    }
}
