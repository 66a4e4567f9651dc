import DNSProxy
import DNSWire
import MeshModel
import NIOCore
import Testing

/// Questions in datagrams that the event loop answers.
@Suite struct AnsweringCoreTests {
    private final class Outbox {
        var sent: [ByteBuffer] = []
    }

    private let conversation = DNSConversation()
    private let outbox = Outbox()

    private func receive(_ datagrams: ByteBuffer..., from address: UInt32 = 0x0a00_0009, port: UInt16 = 5000) {
        let source = DatagramSource(address: .v4(address), port: port)
        for datagram in datagrams {
            self.conversation.core.handle(datagram, .udp(from: source)) { [outbox] in outbox.sent.append($0) }
        }
    }

    private func sent() throws -> DNSMessage? {
        self.outbox.sent.isEmpty ? nil : try DNSMessage(decoding: self.outbox.sent.removeFirst())
    }

    @Test("Each query is answered with its number and in its case")
    func answers() throws {
        self.receive(try DNSConversation.query("near.test", id: 1), try DNSConversation.query("Near.test", id: 2))

        #expect(try self.sent()?.header.id == 1)
        let two = try #require(try self.sent())
        #expect(two.header.isAuthoritative)
        #expect(two.header.id == 2 && two.questions.first?.name.description == "Near.test")
        #expect(try self.sent() == nil)
    }

    @Test("What is too long is truncated to the client's size", arguments: [nil, 600, 1232] as [UInt16?])
    func truncates(_ size: UInt16?) throws {
        self.receive(try DNSConversation.query("many.test", edns: size.map { DNSExtension(payloadMax: $0) }))

        let bytes = try #require(self.outbox.sent.first)
        let answer = try DNSMessage(decoding: bytes)
        #expect(bytes.readableBytes <= Int(size ?? 512) && answer.header.isTruncated)
        #expect((answer.edns != nil) == (size != nil))
        #expect(self.conversation.core.statistics.truncated == 1)
    }

    @Test("Another server's answer comes with the client's number and case")
    func forwards() throws {
        self.receive(try DNSConversation.query("FAR.test", id: 9))
        #expect(try self.sent() == nil)

        try self.conversation.answer(0)

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 9 && answer.questions.first?.name.description == "FAR.test")
        #expect(answer.answers.first?.name.description == "FAR.test" && answer.header.offersRecursion)
    }

    @Test("Another server's answer that is too long sends the client to TCP")
    func forwardedTooLong() throws {
        self.receive(try DNSConversation.query("far.test", id: 9))

        try self.conversation.answer(0, count: 100)

        let answer = try #require(try self.sent())
        #expect(answer.header.isTruncated && answer.answers.isEmpty && answer.header.id == 9)
    }

    @Test("That there is no such name is handed on; that nobody answered is a failure")
    func negative() throws {
        self.receive(try DNSConversation.query("no.test", id: 1), try DNSConversation.query("dead.test", id: 2))

        try self.conversation.answer(0, count: 0, code: .nameError)
        self.conversation.fail(1)

        #expect(try self.sent()?.responseCode == .nameError)
        #expect(try self.sent()?.responseCode == .serverFailure)
    }

    @Test("Our own question that comes back ends there")
    func loop() throws {
        self.receive(try DNSConversation.query("far.test"), port: 4242)

        #expect(try self.sent()?.responseCode == .serverFailure)
        #expect(self.conversation.forwarded.isEmpty && self.conversation.core.statistics.loops == 1)
    }

    @Test("Another machine's question is not taken for ours because its port is the same")
    func samePort() throws {
        self.receive(try DNSConversation.query("near.test"), from: 0x0a00_000a, port: 4242)

        #expect(try self.sent()?.responseCode == .noError && self.conversation.core.statistics.loops == 0)
    }

    @Test("Nonsense is refused, responses and scraps are not answered")
    func nonsense() throws {
        var nonsense = try DNSConversation.query("near.test", id: 5)
        nonsense.writeInteger(UInt8(1))
        self.receive(
            nonsense,
            try DNSConversation.query("near.test", flags: 0x8180),
            ByteBuffer(bytes: [1, 2, 3])
        )

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 5 && answer.responseCode == .formatError)
        #expect(try self.sent() == nil)
        #expect(self.conversation.core.statistics.requests == 1)
        #expect(self.conversation.core.statistics.malformed == 1)
    }
}
