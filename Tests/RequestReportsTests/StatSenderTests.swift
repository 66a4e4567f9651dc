import Dispatch
import Glibc
import Logging
import RequestReports
import Testing

@Suite struct StatSenderTests {
    @Test("A peer that takes the connection and never answers is left, and tried again")
    func silentPeer() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // Without a second attempt the wait for it ends by itself.
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 4) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        try #require(isListening)
        let port = UInt16(bigEndian: address.sin_port)
        let target = try #require(StatSender.Target("ws://127.0.0.1:\(port)"))
        let sender = StatSender(target: target, form: .protobuf, upgradeLimit: .milliseconds(50), logger: logger)

        await withTaskGroup(of: Void.self) { group in
            group.addTask { await sender.run() }
            // On a thread of its own: the sender needs those of tasks.
            let accepted = await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: [accept(listener, nil, nil), accept(listener, nil, nil)])
                }
            }
            #expect(accepted.allSatisfy { $0 >= 0 })
            for connection in accepted { close(connection) }
            group.cancelAll()
        }
    }
}
