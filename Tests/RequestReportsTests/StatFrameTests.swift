import Logging
import MeshModel
import RequestReports
import Synchronization
import Testing

@Suite struct StatFrameTests {
    private let message = StatMessage(
        revision: ObjectID(namespace: "ns", name: "rev"),
        stat: Stat(podName: "p", averageConcurrentRequests: 1.5, requestCount: 3, processUptime: 60)
    )

    @Test("A protobuf frame has the bytes that Knative's own have")
    func protobufBytes() {
        // WireStatMessages{messages: [{namespace: "ns", name: "rev", stat: {…}}]}, by hand.
        var stat: [UInt8] = [0x0A, 1, 0x70]
        stat += [0x11, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F]
        stat += [0x21, 0, 0, 0, 0, 0, 0, 0x08, 0x40]
        stat += [0x31, 0, 0, 0, 0, 0, 0, 0x4E, 0x40]
        let inner: [UInt8] = [0x0A, 2, 0x6E, 0x73, 0x12, 3, 0x72, 0x65, 0x76, 0x1A, UInt8(stat.count)] + stat

        #expect(StatFrame.encode([self.message], as: .protobuf) == [[0x0A, UInt8(inner.count)] + inner])
    }

    @Test("Every form is told from the others by its bytes", arguments: StatForm.allCases)
    func detects(_ form: StatForm) throws {
        var message = self.message
        // Gob's stats have no uptime.
        if form != .protobuf { message.stat.processUptime = 0 }
        let frames = StatFrame.encode([message, message], as: form)

        #expect(frames.count == (form == .protobuf ? 1 : 2))
        #expect(try frames.flatMap { try StatFrame.decode($0) } == [message, message])
    }

    @Test("A frame that is neither, and a message without its revision, are refused")
    func refuses() {
        #expect(throws: StatFrameError.self) { try StatFrame.decode(Array("{\"key\":1}".utf8)) }
        #expect(throws: StatFrameError.self) { try StatFrame.decode([0x0A, 0x05, 0x0A]) }
        #expect(throws: StatFrameError.self) { try StatFrame.decode([0x0A, 0x00]) }
    }

    @Test("A frame may have ten thousand messages; one more is refused before any is read")
    func messagesMax() throws {
        let message: [UInt8] = [0x0A, 6, 0x0A, 1, 0x6E, 0x12, 1, 0x72]
        let most = Array(repeating: message, count: 10_000).flatMap(\.self)
        let empty = Array(repeating: [0x0A, 0] as [UInt8], count: 10_001).flatMap(\.self)

        #expect(try StatFrame.decode(most).count == 10_000)
        for frame in [most + message, empty, most + [0x10, 0], most + [0x08, 0x80]] {
            let error = #expect(throws: StatFrameError.self) { try StatFrame.decode(frame) }
            #expect(error?.description == "protobuf: more than 10000 messages")
        }
    }

    @Test(
        "What is more than a frame may be is refused; what is to be said is sent in several frames",
        arguments: [1, 250]
    )
    func splits(nameLength: Int) throws {
        let messages = (1...10_001).map { number in
            var message = self.message
            message.revision.name = String(repeating: "r", count: nameLength) + String(number)
            return message
        }
        let frames = StatFrame.encode(messages, as: .protobuf)

        #expect(frames.count > 1 && frames.allSatisfy { $0.count <= StatFrame.bytesMax })
        #expect(try frames.flatMap { try StatFrame.decode($0) } == messages)
        let padding: [UInt8] = [0x12, 0x80, 0x80, 0x40] + Array(repeating: 0, count: 1 << 20)
        #expect(throws: StatFrameError.self) { try StatFrame.decode(frames[0] + padding) }
    }

    @Test("A connection is taken for gone when no pong has come for the time, and not before")
    func keepAlive() {
        var keepAlive = KeepAlive(pongTimeout: .seconds(9), at: .zero)
        #expect(keepAlive.interval == .seconds(3))
        #expect(keepAlive.tick(at: .seconds(9)) == .ping)
        #expect(keepAlive.tick(at: .seconds(10)) == .close)
        keepAlive.pongReceived(at: .seconds(9))
        #expect(keepAlive.tick(at: .seconds(18)) == .ping)
    }

    @Test(
        "The autoscaler's address may be written short",
        arguments: [
            (
                "ws://autoscaler.knative-serving.svc.cluster.local:8080",
                "autoscaler.knative-serving.svc.cluster.local", 8080, "/"
            ),
            ("autoscaler", "autoscaler", 8080, "/"), ("ws://10.0.0.1:9999/stats", "10.0.0.1", 9999, "/stats"),
            ("ws://[::1]:80", "::1", 80, "/"),
            (StatSender.Target.addressDefault, "autoscaler.knative-serving.svc.cluster.local.", 8080, "/"),
        ]
    )
    func target(_ text: String, _ host: String, _ port: Int, _ path: String) {
        let target = StatSender.Target(text)
        #expect(target?.host == host && target?.port == port && target?.path == path)
    }

    @Test(
        "The header says the host without the dot that ends a whole name",
        arguments: [
            ("autoscaler", "autoscaler:8080"), ("ws://a.local.:80", "a.local:80"), ("ws://[::1]:80", "[::1]:80"),
            (StatSender.Target.addressDefault, "autoscaler.knative-serving.svc.cluster.local:8080"),
        ]
    )
    func authority(_ text: String, _ expected: String) {
        #expect(StatSender.Target(text)?.authority == expected)
    }

    @Test("An address that is none of a WebSocket is refused", arguments: ["", "http://a", "wss://a", "ws://"])
    func badTarget(_ text: String) { #expect(StatSender.Target(text) == nil) }

    @Test("What a sender says arrives, in every form", arguments: StatForm.allCases)
    func arrives(_ form: StatForm) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (received, inbox) = AsyncStream<[StatMessage]>.makeStream()
        let (ports, bound) = AsyncStream<Int>.makeStream()
        let server = StatServer(logger: logger) { inbox.yield($0) }
        var message = self.message
        if form != .protobuf { message.stat.processUptime = 0 }

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(host: "127.0.0.1", port: 0) { bound.yield($0) } }
            var portIterator = ports.makeAsyncIterator()
            let port = try #require(await portIterator.next())
            let target = try #require(StatSender.Target("ws://127.0.0.1:\(port)"))
            let sender = StatSender(target: target, form: form, logger: logger)
            group.addTask { await sender.run() }
            sender.send(message)
            var iterator = received.makeAsyncIterator()
            #expect(await iterator.next() == [message])
            sender.send(message)
            #expect(await iterator.next() == [message])
            group.cancelAll()
            while let _ = try? await group.next() {}
        }
    }
}
