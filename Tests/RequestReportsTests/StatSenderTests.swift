import Dispatch
import Glibc
import Logging
import MeshModel
import RequestReports
import Testing

@Suite struct StatSenderTests {
    /// A peer that takes connections and says nothing.
    private struct Peer: ~Copyable {
        let listener: Int32
        let port: UInt16

        init() throws {
            self.listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let listener = self.listener
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            // Without another attempt the wait for it ends by itself.
            var patience = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            let isListening = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, length) == 0 && listen(listener, 4) == 0
                        && getsockname(listener, $0, &length) == 0
                }
            }
            self.port = UInt16(bigEndian: address.sin_port)
            try #require(isListening)
        }

        deinit { close(self.listener) }

        /// Whether somebody connects.
        func accepts() async -> Int32 {
            let listener = self.listener
            // On a thread of its own: the sender needs those of tasks.
            return await withCheckedContinuation { continuation in
                DispatchQueue.global().async { continuation.resume(returning: accept(listener, nil, nil)) }
            }
        }
    }

    private func sender(to peer: borrowing Peer, upgradeLimit: Duration, pause: ClosedRange<Int>) throws -> StatSender {
        var reconnection = Reconnection()
        reconnection.pause = pause
        return StatSender(
            target: try #require(StatSender.Target("ws://127.0.0.1:\(peer.port)")),
            form: .protobuf,
            upgradeLimit: upgradeLimit,
            reconnection: reconnection,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    @Test("A peer that takes the connection and never answers is left, and tried again")
    func silentPeer() async throws {
        let peer = try Peer()
        let sender = try self.sender(to: peer, upgradeLimit: .milliseconds(50), pause: 1...1)

        let running = Task { await sender.run() }
        let accepted = [await peer.accepts(), await peer.accepts()]
        running.cancel()
        await running.value
        #expect(accepted.allSatisfy { $0 >= 0 })
        for connection in accepted { close(connection) }
    }

    @Test("Something to say ends the pause before the next connection")
    func pauseCut() async throws {
        let peer = try Peer()
        let hour = 3_600_000
        let sender = try self.sender(to: peer, upgradeLimit: .seconds(3600), pause: hour...hour)

        let running = Task { await sender.run() }
        let first = await peer.accepts()
        #expect(first >= 0)
        close(first)
        sender.send(StatMessage(revision: ObjectID(namespace: "default", name: "a"), stat: Stat()))
        let second = await peer.accepts()
        running.cancel()
        close(second)
        await running.value
        #expect(second >= 0)
    }

    @Test("After a connection that has worked the next one is made at once, after any other one not")
    func reconnection() {
        let reconnection = Reconnection()
        let pauses: ClosedRange<Duration> = .milliseconds(100)...(.seconds(1))

        #expect(reconnection.pause(after: .seconds(1)) == .zero)
        #expect(pauses.contains(reconnection.pause(after: .milliseconds(999))))
        #expect(pauses.contains(reconnection.pause(after: nil)))
        #expect(reconnection.rest() <= .milliseconds(50))
    }
}
