import DNSProxy
import DNSWire
import NIOCore
import NIOEmbedded
import Testing

@Suite struct DNSDatagramHandlerTests {
    private let conversation = DNSConversation()
    private let channel: EmbeddedChannel
    private let client: SocketAddress

    init() throws {
        self.channel = EmbeddedChannel(handler: DNSDatagramHandler(core: self.conversation.core))
        self.client = try SocketAddress(ipAddress: "10.0.0.9", port: 5000)
    }

    private func receive(_ datagrams: ByteBuffer..., port: Int = 5000) throws {
        let client = try SocketAddress(ipAddress: "10.0.0.9", port: port)
        for datagram in datagrams {
            self.channel.pipeline.fireChannelRead(AddressedEnvelope(remoteAddress: client, data: datagram))
        }
        self.channel.pipeline.fireChannelReadComplete()
    }

    private func sent() throws -> DNSMessage? {
        guard let envelope = try self.channel.readOutbound(as: AddressedEnvelope<ByteBuffer>.self) else { return nil }
        return try DNSMessage(decoding: envelope.data)
    }

    @Test("Each query of a batch is answered to its sender")
    func batch() throws {
        try self.receive(DNSConversation.query("near.test", id: 1), DNSConversation.query("Near.test", id: 2))

        let one = try #require(try self.channel.readOutbound(as: AddressedEnvelope<ByteBuffer>.self))
        #expect(one.remoteAddress == self.client)
        #expect(try DNSMessage(decoding: one.data).header.id == 1)
        let two = try #require(try self.sent())
        #expect(two.header.id == 2 && two.questions.first?.name.description == "Near.test")
        #expect(try self.sent() == nil)
    }

    @Test("What is too long is truncated to the client's size", arguments: [nil, 600, 1232] as [UInt16?])
    func truncates(_ size: UInt16?) throws {
        try self.receive(DNSConversation.query("many.test", edns: size.map { DNSExtension(payloadMax: $0) }))

        let envelope = try #require(try self.channel.readOutbound(as: AddressedEnvelope<ByteBuffer>.self))
        let answer = try DNSMessage(decoding: envelope.data)
        #expect(envelope.data.readableBytes <= Int(size ?? 512) && answer.header.isTruncated)
        #expect((answer.edns != nil) == (size != nil))
        #expect(self.conversation.core.statistics.truncated == 1)
    }

    @Test("Another server's answer comes with the client's number and case")
    func forwards() throws {
        try self.receive(DNSConversation.query("FAR.test", id: 9))
        #expect(try self.sent() == nil)

        try self.conversation.answer(0)

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 9 && answer.questions.first?.name.description == "FAR.test")
        #expect(answer.answers.first?.name.description == "FAR.test" && answer.header.offersRecursion)
    }

    @Test("Another server's answer that is too long sends the client to TCP")
    func forwardedTooLong() throws {
        try self.receive(DNSConversation.query("far.test", id: 9))

        try self.conversation.answer(0, count: 100)

        let answer = try #require(try self.sent())
        #expect(answer.header.isTruncated && answer.answers.isEmpty && answer.header.id == 9)
    }

    @Test("That there is no such name is handed on; that nobody answered is a failure")
    func negative() throws {
        try self.receive(DNSConversation.query("no.test", id: 1), DNSConversation.query("dead.test", id: 2))

        try self.conversation.answer(0, count: 0, code: .nameError)
        self.conversation.fail(1)

        #expect(try self.sent()?.responseCode == .nameError)
        #expect(try self.sent()?.responseCode == .serverFailure)
    }

    @Test("Our own question that comes back ends there")
    func loop() throws {
        try self.receive(DNSConversation.query("far.test"), port: 4242)

        #expect(try self.sent()?.responseCode == .serverFailure)
        #expect(self.conversation.forwarded.isEmpty && self.conversation.core.statistics.loops == 1)
    }

    @Test("Nonsense is refused, responses and scraps are not answered")
    func nonsense() throws {
        var nonsense = try DNSConversation.query("near.test", id: 5)
        nonsense.writeInteger(UInt8(1))
        try self.receive(
            nonsense,
            DNSConversation.query("near.test", flags: 0x8180),
            ByteBuffer(bytes: [1, 2, 3])
        )

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 5 && answer.responseCode == .formatError)
        #expect(try self.sent() == nil)
        #expect(self.conversation.core.statistics.requests == 1)
        #expect(self.conversation.core.statistics.malformed == 1)
    }

    @Test("A client that is gone does not end the server")
    func errors() throws {
        struct Gone: Error {}
        self.channel.pipeline.fireErrorCaught(Gone())
        try self.channel.throwIfErrorCaught()

        try self.receive(DNSConversation.query("near.test"))

        #expect(try self.sent()?.answers.count == 1)
    }
}
