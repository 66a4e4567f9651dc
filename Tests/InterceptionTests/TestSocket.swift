import Glibc

/// A blocking socket with a time limit, for a handful of packets inside a namespace.
struct TestSocket: ~Copyable {
    let descriptor: Int32

    enum Kind {
        case tcp, udp
    }

    enum Family {
        case four, six
    }

    init(_ kind: Kind, _ family: Family = .four) throws {
        let type = kind == .tcp ? SOCK_STREAM : SOCK_DGRAM
        self.descriptor = socket(family == .six ? AF_INET6 : AF_INET, Int32(type.rawValue), 0)
        guard self.descriptor >= 0 else { throw NetworkNamespace.Failure(text: "socket: \(errno)") }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    private init(taking descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(self.descriptor) }

    func bind(_ address: String, _ port: UInt16) throws {
        try Self.check("bind", Self.with(address, port) { Glibc.bind(self.descriptor, $0, $1) })
    }

    func listen(_ address: String, _ port: UInt16) throws {
        var on: Int32 = 1
        setsockopt(self.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        try self.bind(address, port)
        try Self.check("listen", Glibc.listen(self.descriptor, 8))
    }

    /// `nil` if connected, else the error's number.
    func connect(_ address: String, _ port: UInt16) -> Int32? {
        Self.with(address, port) { Glibc.connect(self.descriptor, $0, $1) } == 0 ? nil : errno
    }

    func accept() throws -> TestSocket {
        let descriptor = Glibc.accept(self.descriptor, nil, nil)
        try Self.check("accept", descriptor)
        return TestSocket(taking: descriptor)
    }

    /// Where the peer wanted to go before it was redirected (`SOL_IP`, `SO_ORIGINAL_DST`, and their like of IPv6).
    func originalDestination(_ family: Family = .four) throws -> String {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try Self.check("SO_ORIGINAL_DST", getsockopt(self.descriptor, family == .six ? 41 : 0, 80, &address, &size))
        let peer = try Self.peer(address)
        return "\(peer.address):\(peer.port)"
    }

    func send(_ text: String, to address: String, _ port: UInt16) throws {
        let bytes = Array(text.utf8)
        let sent = Self.with(address, port) { sendto(self.descriptor, bytes, bytes.count, 0, $0, $1) }
        try Self.check("sendto", Int32(sent))
    }

    /// The text that came and its sender.
    func receive() throws -> (text: String, from: (address: String, port: UInt16)) {
        var bytes = [UInt8](repeating: 0, count: 512)
        var sender = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &sender) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(self.descriptor, &bytes, bytes.count, 0, $0, &size)
            }
        }
        try Self.check("recvfrom", Int32(count))
        return (String(decoding: bytes[..<count], as: UTF8.self), try Self.peer(sender))
    }

    private static func with<T>(
        _ address: String,
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> T
    ) -> T {
        if address.contains(":") {
            var target = sockaddr_in6()
            target.sin6_family = sa_family_t(AF_INET6)
            target.sin6_port = port.bigEndian
            inet_pton(AF_INET6, address, &target.sin6_addr)
            return withUnsafePointer(to: &target) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &target.sin_addr)
        return withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func peer(_ address: sockaddr_storage) throws -> (address: String, port: UInt16) {
        var text = [CChar](repeating: 0, count: 64)
        let port: UInt16 = withUnsafePointer(to: address) { pointer in
            if Int32(address.ss_family) == AF_INET6 {
                return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    var bytes = $0.pointee.sin6_addr
                    inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
                    return UInt16(bigEndian: $0.pointee.sin6_port)
                }
            }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                var bytes = $0.pointee.sin_addr
                inet_ntop(AF_INET, &bytes, &text, socklen_t(text.count))
                return UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
        let end = text.firstIndex(of: 0) ?? 0
        guard end > 0 else { throw NetworkNamespace.Failure(text: "an address of family \(address.ss_family)") }
        return (String(decoding: text[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self), port)
    }

    private static func check(_ what: String, _ result: Int32) throws {
        guard result >= 0 else { throw NetworkNamespace.Failure(text: "\(what): error \(errno)") }
    }
}

/// Runs `body` with another user for this thread's files: a socket belongs to who made it, which is what rules see.
///
/// The call is looked up by name, as the C library's module does not declare it for Swift.
func asUser<Value: ~Copyable>(_ user: UInt32, _ body: () throws -> Value) throws -> Value {
    guard let symbol = dlsym(nil, "setfsuid") else { throw NetworkNamespace.Failure(text: "no setfsuid") }
    let setUser = unsafeBitCast(symbol, to: (@convention(c) (UInt32) -> Int32).self)
    _ = setUser(user)
    defer { _ = setUser(0) }
    return try body()
}
