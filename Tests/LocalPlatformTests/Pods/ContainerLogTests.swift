import Foundation
import LocalPlatform
import Testing

@Suite struct ContainerLogTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)")

    @Test("Lines are put together from pieces, each stream for itself; what is left is written at the end")
    func lines() throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let log = try ContainerLog(file: self.folder.appendingPathComponent("0.log"))

        log.append(Array("one\ntw".utf8), stream: .stdout)
        log.append(Array("error\n".utf8), stream: .stderr)
        log.append(Array("o\nrest".utf8), stream: .stdout)
        log.finish()

        let reader = LogReader(timestamps: false, since: nil)
        #expect(reader.tail(log.file, lines: nil) == "one\nerror\ntwo\nrest\n")
        #expect(reader.tail(log.file, lines: 2) == "two\nrest\n")
    }

    @Test("A line longer than the limit is written in pieces and read as one")
    func longLine() throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let log = try ContainerLog(file: self.folder.appendingPathComponent("0.log"))
        let line = String(repeating: "x", count: ContainerLog.lineBytesMax + 1)

        log.append(Array((line + "\n").utf8), stream: .stdout)

        #expect(LogReader(timestamps: false, since: nil).tail(log.file, lines: nil) == line + "\n")
    }

    @Test("A log never keeps more than twice its limit, and the newest lines stay")
    func rotates() throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let log = try ContainerLog(file: self.folder.appendingPathComponent("0.log"))
        let chunk = Array((String(repeating: "y", count: 8000) + "\n").utf8)

        for _ in 0..<(3 * ContainerLog.fileBytesMax / chunk.count) { log.append(chunk, stream: .stdout) }
        log.append(Array("last\n".utf8), stream: .stdout)

        let sizes = try [log.file, ContainerLog.rotated(log.file)].map {
            try FileManager.default.attributesOfItem(atPath: $0.path)[.size] as? Int ?? 0
        }
        #expect(sizes.allSatisfy { $0 <= ContainerLog.fileBytesMax })
        #expect(LogReader(timestamps: false, since: nil).tail(log.file, lines: 1) == "last\n")
    }

    @Test("Times are shown when asked for, and older lines left out")
    func times() {
        let record = "2018-07-01T10:00:00.5Z stdout F hello there"[...]

        #expect(LogReader(timestamps: true, since: nil).line(record) == "2018-07-01T10:00:00.5Z hello there\n")
        #expect(LogReader(timestamps: false, since: 1_530_439_201).line(record) == nil)
        #expect(LogReader(timestamps: false, since: 1_530_439_200).line(record) == "hello there\n")
    }
}
