import Glibc
import MeshModel
import NIOCore

/// Where a sidecar's servers for its own pod listen.
enum LoopbackAddresses {
    /// 127.0.0.1, and `::1` where there is IPv6: with IPv6 switched off nothing can be bound to it, and nothing comes.
    static func usable() -> [IPAddress] {
        let four = IPAddress.v4(0x7f00_0001)
        let six = IPAddress.v6(high: 0, low: 1)
        return Self.canBind(six) ? [four, six] : [four]
    }

    private static func canBind(_ address: IPAddress) -> Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // It is an address: what cannot be written as one cannot be bound either.
        guard let place = try? SocketAddress(ipAddress: address.description, port: 0) else { return false }
        return place.withSockAddr { bind(descriptor, $0, socklen_t($1)) == 0 }
    }
}
