import Dispatch
import Glibc
import Logging
import RequestReports
import Testing

@Suite struct StatServerTests {
    /// What a client reads that connects and says `text`; empty: the server has ended the connection.
    private func answer(to text: [UInt8], at port: Int) async -> [UInt8] {
        // On a thread of its own: the server needs those of tasks.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Self.read(after: text, port)) }
        }
    }

    private static func read(after text: [UInt8], _ port: Int) -> [UInt8] {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        // Without an answer the wait for it ends by itself.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected, send(client, text, text.count, Int32(MSG_NOSIGNAL)) == text.count else { return [] }
        var buffer: [UInt8] = Array(repeating: 0, count: 4096)
        let count = recv(client, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    private func run(_ limits: StatIntake.Limits, _ body: (Int, StatServer) async throws -> Void) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = StatServer(limits: limits, logger: logger) { _ in }
        let (ports, bound) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(host: "127.0.0.1", port: 0) { bound.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            try await body(try #require(await iterator.next()), server)
            group.cancelAll()
            // How the server ends does not matter here.
            while let _ = try? await group.next() {}
        }
    }

    private static let probe = Array("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".utf8)

    @Test("Who comes when as many are connected as may be is sent away, and counted; others are answered")
    func connectionsMax() async throws {
        var none = StatIntake.Limits()
        none.connectionsMax = 0
        try await self.run(none) { port, server in
            #expect(await self.answer(to: Self.probe, at: port) == [])
            #expect(server.refusals[.connection] == 1)
            #expect(server.metricsPage.contains("autoscaler_stat_refused_total{what=\"connection\"} 1\n"))
        }
        try await self.run(StatIntake.Limits()) { port, server in
            #expect(await self.answer(to: Self.probe, at: port).starts(with: Array("HTTP/1.1 200".utf8)))
            #expect(server.refusals == [:])
        }
    }

    @Test("A connection that begins more than there is room for is ended")
    func unfinishedMax() async throws {
        var few = StatIntake.Limits()
        few.unfinishedMax = 10
        few.unfinishedShare = 10
        try await self.run(few) { port, server in
            #expect(await self.answer(to: Self.probe, at: port) == [])
            #expect(server.refusals[.unfinished] == 1)
        }
    }
}
