import HealthProbing
import NIOCore
import NIOPosix
import Testing

@Suite struct HealthCheckTests {
    @Test("A probe is read with the defaults of a pod's")
    func defaults() throws {
        let check = try HealthCheck(json: Array(#"{"tcpSocket": {"port": 3306}}"#.utf8))
        #expect(check.method == .tcp(host: nil, port: 3306))
        #expect(check.timeout == .seconds(1))
        #expect(check.period == .seconds(10))
        #expect(check.successThreshold == 1)
        #expect(check.failureThreshold == 3)
    }

    @Test("All that a probe says is taken over")
    func everything() throws {
        let text = """
            {"httpGet": {"path": "well", "port": 80, "host": "h", "scheme": "http", "httpHeaders": [{"name": "a", "value": "b"}]},
             "initialDelaySeconds": 1, "timeoutSeconds": 2, "periodSeconds": 3, "successThreshold": 4, "failureThreshold": 5}
            """
        var expected = HealthCheck(
            .http(host: "h", port: 80, path: "/well", headers: [HealthCheck.Header(name: "a", value: "b")])
        )
        expected.initialDelay = .seconds(1)
        expected.timeout = .seconds(2)
        expected.period = .seconds(3)
        expected.successThreshold = 4
        expected.failureThreshold = 5
        #expect(try HealthCheck(json: Array(text.utf8)) == expected)
        let program = try HealthCheck(json: Array(#"{"exec": {"command": ["true", "x"]}}"#.utf8))
        #expect(program.method == .program(["true", "x"]))
    }

    @Test(
        "What is no probe is refused",
        arguments: [
            "", "[]", "{}", #"{"tcpSocket": {"port": 0}}"#, #"{"tcpSocket": {"port": 65536}}"#, #"{"httpGet": {}}"#,
            #"{"httpGet": {"port": 1, "scheme": "HTTPS"}}"#, #"{"httpGet": {"port": 1, "path": "a b"}}"#,
            #"{"httpGet": {"port": 1, "path": "a\r\nx: y"}}"#, #"{"exec": {"command": []}}"#,
            #"{"exec": {"command": [""]}}"#, #"{"grpc": {"port": 1}}"#,
        ]
    )
    func refused(_ text: String) {
        #expect(throws: HealthCheck.Malformed.self) { try HealthCheck(json: Array(text.utf8)) }
    }
}

@Suite struct HealthMachineTests {
    private func machine(successes: Int, failures: Int) -> HealthMachine {
        var check = HealthCheck(.tcp(host: nil, port: 1))
        check.successThreshold = successes
        check.failureThreshold = failures
        return HealthMachine(check)
    }

    @Test("A verdict needs as many answers in a row as its threshold says, and is told once")
    func thresholds() {
        var machine = self.machine(successes: 2, failures: 3)
        #expect(machine.answered(nil) == .nothing)
        #expect(machine.answered(nil) == .becameHealthy)
        #expect(machine.answered(nil) == .nothing)
        #expect(machine.answered("a") == .nothing)
        #expect(machine.answered("b") == .nothing)
        #expect(machine.answered(nil) == .nothing)
        #expect(machine.answered("c") == .nothing)
        #expect(machine.answered("d") == .nothing)
        #expect(machine.answered("e") == .becameUnhealthy("e"))
        #expect(machine.answered("f") == .nothing)
        #expect(machine.answered(nil) == .nothing)
        #expect(machine.answered(nil) == .becameHealthy)
    }

    @Test("A workload that was never well is called so after its threshold")
    func neverWell() {
        var machine = self.machine(successes: 1, failures: 1)
        #expect(machine.answered("a") == .becameUnhealthy("a"))
    }
}

@Suite struct HealthProberTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func problem(_ method: HealthCheck.Method, timeout: Duration = .seconds(30)) async throws -> String? {
        var check = HealthCheck(method)
        check.timeout = timeout
        return try await HealthProber(check, address: "127.0.0.1", group: self.group).once()
    }

    /// Answers the first bytes of each connection with `answer` while `body` runs with its port.
    private func serving(_ answer: String?, _ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: self.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let answer { try channel.pipeline.syncOperations.addHandler(Answering(answer: answer)) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await body(try #require(server.localAddress?.port))
        try await server.close()
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: String

        init(answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.answer)), promise: nil)
            context.close(promise: nil)
        }
    }

    @Test(
        "An answer from 200 to 399 is good, all else is not",
        arguments: [
            ("HTTP/1.1 200 OK\r\n\r\n", nil), ("HTTP/1.0 399 x\r\n\r\n", nil),
            ("HTTP/1.1 400 Bad\r\n\r\n", "the answer is 400"), ("HTTP/1.1 199 x\r\n\r\n", "the answer is 199"),
            ("SSH-2.0\r\n", "the answer is no HTTP"),
        ] as [(String, String?)]
    )
    func http(_ answer: String, _ expected: String?) async throws {
        try await self.serving(answer) { port in
            let found = try await self.problem(.http(host: nil, port: port, path: "/", headers: []))
            #expect(found == expected)
        }
    }

    @Test("A port that takes connections is good, a closed one is not")
    func tcp() async throws {
        var closed = 0
        try await self.serving(nil) { port in
            closed = port
            let found = try await self.problem(.tcp(host: nil, port: port))
            #expect(found == nil)
        }
        let found = try await self.problem(.tcp(host: nil, port: closed))
        #expect(found == "127.0.0.1:\(closed): Connection refused")
    }

    @Test("A check of the machine itself comes from the address that it is told to come from")
    func source() async throws {
        let (peers, peer) = AsyncStream.makeStream(of: String?.self)
        let server = try await ServerBootstrap(group: self.group)
            .childChannelInitializer { channel in
                peer.yield(channel.remoteAddress?.ipAddress)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        var check = HealthCheck(.tcp(host: nil, port: port))
        check.timeout = .seconds(30)

        let prober = HealthProber(check, address: "127.0.0.1", source: "127.0.0.6", group: self.group)
        let problem = try await prober.once()

        #expect(problem == nil)
        #expect(await peers.first { _ in true } == "127.0.0.6")
        try await server.close()
    }

    @Test("A server that does not answer in time is not well")
    func silence() async throws {
        try await self.serving(nil) { port in
            let check = HealthCheck.Method.http(host: nil, port: port, path: "/", headers: [])
            let found = try await self.problem(check, timeout: .milliseconds(1))
            #expect(found != nil)
        }
    }

    @Test("A program's status counts")
    func program() async throws {
        let found = [
            try await self.problem(.program(["true"])), try await self.problem(.program(["false"])),
            try await self.problem(.program(["/no/such/program"])),
        ]
        #expect(found == [nil, "false ended with status 1", "/no/such/program ended with status 127"])
    }
}
