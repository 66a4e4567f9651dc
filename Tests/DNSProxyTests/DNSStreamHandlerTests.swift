import DNSProxy
import DNSWire
import NIOCore
import NIOEmbedded
import Testing

@Suite struct DNSStreamHandlerTests {
    private let conversation = DNSConversation()
    private let channel: EmbeddedChannel

    init() throws {
        self.channel = EmbeddedChannel(
            handler: DNSStreamHandler(core: self.conversation.core, idleTimeout: .seconds(10))
        )
        try self.channel.connect(to: SocketAddress(ipAddress: "10.0.0.9", port: 5000)).wait()
    }

    /// The next answer, without its length.
    private func sent() throws -> DNSMessage? {
        guard var frame = try self.channel.readOutbound(as: ByteBuffer.self) else { return nil }
        let length = frame.readInteger(as: UInt16.self)
        #expect(length.map(Int.init) == frame.readableBytes)
        return try DNSMessage(decoding: frame)
    }

    @Test("Queries are answered wherever the stream is cut", arguments: [1, 2, 3, 7, 1000])
    func framing(_ size: Int) throws {
        var stream = DNSConversation.framed(
            try DNSConversation.query("near.test", id: 1),
            try DNSConversation.query("many.test", id: 2)
        )

        while let part = stream.readSlice(length: min(size, stream.readableBytes)), part.readableBytes > 0 {
            try self.channel.writeInbound(part)
        }

        #expect(try self.sent()?.header.id == 1)
        // No truncation over TCP.
        let many = try #require(try self.sent())
        #expect(many.header.id == 2 && many.answers.count == 200 && !many.header.isTruncated)
    }

    @Test("Answers come in the order in which they are ready")
    func order() throws {
        try self.channel.writeInbound(
            DNSConversation.framed(
                try DNSConversation.query("far.test", id: 1),
                try DNSConversation.query("near.test", id: 2)
            )
        )
        #expect(try self.sent()?.header.id == 2)

        try self.conversation.answer(0, count: 100)

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 1 && answer.answers.count == 100)
    }

    @Test("No more queries are taken than may be worked on; the rest follows as answers leave")
    func outstanding() throws {
        let max = DNSStreamHandler.outstandingMax
        for id in 0..<(max + 5) {
            try self.channel.writeInbound(
                DNSConversation.framed(try DNSConversation.query("far\(id).test", id: UInt16(id)))
            )
        }
        #expect(self.conversation.forwarded.count == max)

        try self.conversation.answer(0)

        #expect(self.conversation.forwarded.count == max + 1)
        #expect(try self.sent()?.header.id == 0)
    }

    @Test("A connection without a whole query is closed, however its bytes drip")
    func idle() throws {
        var stream = DNSConversation.framed(try DNSConversation.query("near.test"))
        for _ in 0..<4 {
            let part = stream.readSlice(length: 1)
            try self.channel.writeInbound(try #require(part))
            self.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        }
        #expect(self.channel.isActive)

        self.channel.embeddedEventLoop.advanceTime(by: .seconds(3))

        #expect(!self.channel.isActive)
    }

    @Test("Each query gives a connection its time again")
    func busy() throws {
        for _ in 0..<5 {
            try self.channel.writeInbound(DNSConversation.framed(try DNSConversation.query("near.test")))
            self.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
            #expect(self.channel.isActive)
        }
    }

    @Test("A client that has sent all gets its answers before the connection ends")
    func halfClose() throws {
        try self.channel.writeInbound(DNSConversation.framed(try DNSConversation.query("far.test", id: 3)))
        self.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(self.channel.isActive)

        try self.conversation.answer(0)

        #expect(try self.sent()?.header.id == 3)
        #expect(!self.channel.isActive)
    }

    @Test("An answer for a client that is gone is dropped")
    func gone() throws {
        try self.channel.writeInbound(DNSConversation.framed(try DNSConversation.query("far.test")))
        try self.channel.close().wait()

        try self.conversation.answer(0)

        #expect(try self.sent() == nil)
    }

    @Test("Who sends too much, nothing or a response is not spoken to any longer", arguments: 0...3)
    func misuse(_ index: Int) throws {
        let bytes =
            switch index {
            case 0: ByteBuffer(integer: UInt16(DNSStreamHandler.queryBytesMax + 1))
            case 1: ByteBuffer(integer: UInt16(0))
            case 2: ByteBuffer(integer: UInt16.max)
            default: DNSConversation.framed(try DNSConversation.query("near.test", flags: 0x8000))
            }

        try self.channel.writeInbound(bytes)

        #expect(!self.channel.isActive)
        #expect(try self.sent() == nil)
    }

    @Test("A length that is shorter than the query makes two bad messages of it, each answered or not on its own")
    func shortLength() throws {
        var query = try DNSConversation.query("near.test", id: 7)
        var bytes = ByteBuffer(integer: UInt16(12))
        bytes.writeBuffer(&query)

        try self.channel.writeInbound(bytes)

        let answer = try #require(try self.sent())
        #expect(answer.header.id == 7 && answer.responseCode == .formatError)
        #expect(try self.sent() == nil)
    }

    @Test("A length that is longer than what comes waits for the rest, and ends with the connection")
    func longLength() throws {
        var query = try DNSConversation.query("near.test")
        var bytes = ByteBuffer(integer: UInt16(query.readableBytes + 1))
        bytes.writeBuffer(&query)
        try self.channel.writeInbound(bytes)
        #expect(try self.sent() == nil && self.channel.isActive)

        self.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)

        #expect(!self.channel.isActive)
    }
}
