import DNSProxy
import DNSWire
import Logging
import MeshModel
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Other servers that are asked over connections, or that somebody imitates; and logs of it.
extension DNSServerTests {
    @Test("A server that is asked over a connection that stays: many questions, one connection")
    func connection() async throws {
        let upstream = try await Self.start(
            DNSTable(hosts: (0..<20).map { Self.host("n\($0).test") }, zones: ["test"])
        )
        var server = upstream.upstream
        server.tlsName = "dns.test"
        let opened = Mutex<[String]>([])
        let client = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(servers: [server], attempts: 1),
            // What TLS would be is of no interest here: the server is asked over TCP as it is.
            secure: { _, name in opened.withLock { $0.append(name) } }
        )

        let answers = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for number in 0..<20 {
                let question = DNSQuestion(name: try #require(DNSName("n\(number).test")), type: .a)
                tasks.addTask { await client.ask(question)?.answers.count ?? 0 }
            }
            return try await tasks.reduce(0, +)
        }

        #expect(answers == 20 && opened.withLock { $0 } == ["dns.test"])
        await Self.stop(upstream)
        await client.stop()
    }

    @Test("A connection that goes silent is replaced by another, and the question asked again")
    func silentConnection() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // Takes the first connection and says nothing; hands on the others.
        let accepted = Mutex(0)
        let real = upstream.address
        let front = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                let isFirst = accepted.withLock { count in
                    count += 1
                    return count == 1
                }
                if isFirst { return channel.eventLoop.makeSucceededVoidFuture() }
                return ClientBootstrap(group: loop)
                    .channelInitializer { other in
                        other.eventLoop.makeCompletedFuture {
                            try other.pipeline.syncOperations.addHandler(HandOn(to: channel))
                            try channel.pipeline.syncOperations.addHandler(HandOn(to: other))
                        }
                    }
                    .connect(to: real).map { _ in }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var server = DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(front.localAddress?.port ?? 0))
        server.tlsName = "dns.test"
        let client = DNSForwarder(
            eventLoop: loop,
            upstreams: DNSUpstreams(servers: [server], attempts: 20, timeout: .milliseconds(200)),
            secure: { _, _ in }
        )

        let answer = await client.ask(DNSQuestion(name: try #require(DNSName("far.test")), type: .a))

        #expect(answer?.answers.map(\.data) == [.a(0x0a00_0000)])
        await client.stop()
        try await front.close()
        await Self.stop(upstream)
    }

    /// Writes to another channel what comes on this one.
    private final class HandOn: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let other: any Channel

        init(to other: any Channel) { self.other = other }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.other.writeAndFlush(self.unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.other.close(promise: nil) }
    }

    @Test("Without TLS a server that wants it is not asked in plain text")
    func noTLS() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")]))
        var server = upstream.upstream
        server.tlsName = "dns.test"
        let running = try await Self.start(DNSTable(), upstreams: [server])

        #expect(try await Self.ask(running, "far.test") == nil)
        #expect(await upstream.server.statistics().requests == 0)
        await Self.stop(running, upstream)
    }

    @Test("A log hears of every question: what it was, who knew, and how it ended")
    func queryLog() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")]))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let forwarder = DNSForwarder(
            eventLoop: loop,
            upstreams: DNSUpstreams(servers: [upstream.upstream], attempts: 1)
        )
        let lines = Mutex<[DNSQueryLine]>([])
        let server = DNSServer(
            options: DNSServer.Options(port: 0),
            table: DNSTable(hosts: [Self.host("near.test"), Self.host("many.test", 200)]),
            forwarder: forwarder,
            queryLog: { line in lines.withLock { $0.append(line) } },
            logger: Self.logger
        )
        let address = try #require(try await server.start().first)
        let running = Running(forwarder: forwarder, server: server, address: address, names: RecentNames())

        for name in ["near.test", "far.test", "far.test", "none.test", "many.test"] {
            _ = try await Self.ask(running, name)
        }

        let words = lines.withLock { lines in
            lines.map { line in
                "\(line.question.name) \(line.question.type) \(line.outcome) \(line.code) \(line.answers)"
                    + (line.isTruncated ? " cut" : "") + (line.overTCP ? " tcp" : "")
            }
        }
        #expect(
            words.map { $0.lowercased() } == [
                "near.test a local noerror 1", "far.test a forwarded noerror 1", "far.test a cached noerror 1",
                "none.test a failed servfail 0", "many.test a local noerror 74 cut",
                "many.test a local noerror 200 tcp",
            ]
        )
        await Self.stop(running, upstream)
    }

    @Test("An answer from another address than the one that was asked is not heard")
    func otherSource() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // Answers everything from a second socket first, and from the right one later.
        let forger = try await DatagramBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let real = try await DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DoubleAnswer(forger: forger))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(real.localAddress?.port ?? 0)
        let client = DNSForwarder(
            eventLoop: loop,
            upstreams: DNSUpstreams(servers: [DNSUpstream(address: .v4(0x7f00_0001), port: port)], attempts: 1)
        )

        let answer = await client.ask(DNSQuestion(name: try #require(DNSName("bank.test")), type: .a))

        #expect(answer?.answers.map(\.data) == [.a(0x0100_0001)])
        await client.stop()
        try await forger.close()
        try await real.close()
    }

    /// A server whose answers a forger tries to be ahead of, with everything right but the port.
    private final class DoubleAnswer: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        private let forger: any Channel

        init(forger: any Channel) { self.forger = forger }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = self.unwrapInboundIn(data)
            guard let query = try? DNSMessage(decoding: envelope.data), let question = query.questions.first else {
                Issue.record("no question came")
                return
            }
            func answer(_ bits: UInt32) -> AddressedEnvelope<ByteBuffer> {
                var message = DNSMessage(header: query.header, questions: [question])
                message.header.isResponse = true
                message.answers = [DNSRecord(name: question.name, ttl: 60, data: .a(bits))]
                var buffer = ByteBuffer()
                message.encode(into: &buffer, limit: 512)
                return AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: buffer)
            }
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            let right = NIOLoopBound(self.wrapOutboundOut(answer(0x0100_0001)), eventLoop: context.eventLoop)
            self.forger.writeAndFlush(answer(0x0666_0666)).assumeIsolated().whenComplete { _ in
                context.value.writeAndFlush(right.value, promise: nil)
            }
        }
    }

    @Test("When a server stops its clients' connections end, whatever they are waiting for")
    func stopsConnections() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let forwarder = DNSForwarder(eventLoop: loop, upstreams: DNSUpstreams())
        let server = DNSServer(
            options: DNSServer.Options(port: 0, idleTimeout: .seconds(3600)),
            table: DNSTable(hosts: [Self.host("near.test")]),
            forwarder: forwarder,
            logger: Self.logger
        )
        let address = try #require(try await server.start().first)
        let answered = loop.makePromise(of: Void.self)
        let client = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstRead(promise: answered))
                }
            }
            .connect(to: address).get()
        try await client.writeAndFlush(DNSFrames.framed(try DNSConversation.query("near.test")))
        try await answered.futureResult.get()
        #expect(client.isActive)

        await server.stop()

        try await client.closeFuture.get()
        await forwarder.stop()
    }

    private final class FirstRead: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<Void>

        init(promise: EventLoopPromise<Void>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.promise.succeed() }
    }

    @Test("A port that is taken is named, and nothing is left behind")
    func portTaken() async throws {
        let running = try await Self.start(DNSTable())
        let port = UInt16(running.address.port ?? 0)
        let second = DNSServer(
            options: DNSServer.Options(port: port),
            table: DNSTable(),
            forwarder: running.forwarder,
            logger: Self.logger
        )

        let error = await #expect(throws: DNSServer.BindError.self) { try await second.start() }

        #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        await Self.stop(running)
    }
}
