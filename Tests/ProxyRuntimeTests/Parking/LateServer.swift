import Dispatch
import Glibc

/// A server that has its port, and takes no connection before it is told to.
final class LateServer: Sendable {
    private let listener: Int32
    let port: UInt16

    /// `nil`: the system has no port for it.
    init?() {
        self.listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let listener = self.listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        Self.limitWaits(of: listener)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        if !isBound { return nil }
    }

    deinit { close(self.listener) }

    /// What never comes ends a wait by itself.
    private static func limitWaits(of socket: Int32) {
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Takes connections from now on, and answers the first request; `false`: none came.
    func answerOne(_ answer: String) async -> Bool {
        let listener = self.listener
        // On a thread of its own: the proxy's tasks need theirs.
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Self.answerOne(listener, Array(answer.utf8)))
            }
        }
    }

    private static func answerOne(_ listener: Int32, _ answer: [UInt8]) -> Bool {
        guard listen(listener, 16) == 0 else { return false }
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { return false }
            defer { close(connection) }
            Self.limitWaits(of: connection)
            var buffer: [UInt8] = Array(repeating: 0, count: 4096)
            // Who only asks whether somebody is there says nothing.
            guard recv(connection, &buffer, buffer.count, 0) > 0 else { continue }
            return send(connection, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count
        }
    }
}
