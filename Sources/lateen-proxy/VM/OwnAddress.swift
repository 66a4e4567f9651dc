import Glibc
import MeshModel

/// Finds the address by which this machine reaches another.
enum OwnAddress {
    /// The source address of the route to a host; no packet is sent.
    ///
    /// - Throws: a sentence that says which host cannot be reached.
    static func towards(_ host: String, port: Int) throws -> IPAddress {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else {
            throw StartError("the control plane \(host) cannot be looked up on this machine: say its address")
        }
        defer { freeaddrinfo(list) }
        var next = list
        while let entry = next {
            if let found = Self.source(of: entry.pointee) { return found }
            next = entry.pointee.ai_next
        }
        throw StartError("this machine has no route to the control plane \(host): say the address with --address")
    }

    private static func source(of target: addrinfo) -> IPAddress? {
        let descriptor = socket(target.ai_family, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard getsockname(descriptor, address, &length) == 0 else { return -1 }
                return getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard status == 0 else { return nil }
        return IPAddress(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
