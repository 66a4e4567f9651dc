import MeshModel
import Testing

@Suite struct MessageChangesTests {
    @Test("Headers of framing, of who the request is for, and what is no name at all stay as they are")
    func names() {
        let forbidden = [
            "Host", "connection", "Content-Length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive",
            "proxy-connection", "", "a b", ":x", ":path", "ä",
        ]
        for name in forbidden { #expect(MessageChanges.header(name) == nil, "\(name)") }
        #expect(MessageChanges.header("X-User_1.~") == "x-user_1.~")
    }

    @Test("A value is of one line, and an answer is a final one")
    func values() {
        #expect(MessageChanges.isValue(Array("a\tb ä".utf8)) && MessageChanges.isValue([]))
        for bytes: [UInt8] in [[0x0a], [0x0d], [0x00], [0x7f]] { #expect(!MessageChanges.isValue(bytes)) }
        #expect([199, 200, 599, 600].map(MessageChanges.statuses.contains) == [false, true, true, false])
    }
}
