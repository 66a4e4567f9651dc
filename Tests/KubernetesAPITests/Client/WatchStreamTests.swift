import KubernetesAPI
import NIOCore
import Testing

@Suite struct WatchStreamTests {
    @Test("Lines come out whole wherever the chunks end", arguments: 1...7)
    func splits(_ size: Int) throws {
        let bytes = Array("one\n\ntwo\nthree\nrest".utf8)
        var splitter = LineSplitter(bytesMax: 100)
        var lines: [String] = []

        for start in stride(from: 0, to: bytes.count, by: size) {
            splitter.append(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
            while let line = try splitter.next() { lines.append(String(buffer: line)) }
        }

        #expect(lines == ["one", "two", "three"])
    }

    @Test("A line without end is accepted up to the limit and refused beyond it")
    func limit() throws {
        var splitter = LineSplitter(bytesMax: 4)
        splitter.append(ByteBuffer(string: "abcd"))
        #expect(try splitter.next() == nil)
        splitter.append(ByteBuffer(string: "e"))
        #expect(throws: LineSplitter.LineTooLong.self) { try splitter.next() }
    }

    @Test("Events are read by their type, and unknown ones are left out")
    func events() {
        let pod: JSONValue = ["kind": "Pod", "metadata": ["name": "a", "resourceVersion": "7"]]
        #expect(WatchEvent(json: ["type": "ADDED", "object": pod]) == .added(KubernetesObject(json: pod)))
        #expect(WatchEvent(json: ["type": "BOOKMARK", "object": pod]) == .bookmark(resourceVersion: "7"))
        #expect(WatchEvent(json: ["type": "SNEEZED", "object": pod]) == nil)
        let status = Status(code: 410, reason: "Expired", message: "too old")
        #expect(WatchEvent(json: ["type": "ERROR", "object": status.json]) == .failed(status))
    }
}
