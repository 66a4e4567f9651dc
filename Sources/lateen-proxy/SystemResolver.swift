import Dispatch
import Glibc
import MeshModel

/// Looks names up as the system does (`getaddrinfo`), on a thread of its own since that blocks.
struct SystemResolver: Sendable {
    private let queue = DispatchQueue(label: "resolver")

    /// The addresses of a name, IPv4 only if there are any; empty: none or no answer.
    func addresses(of name: String) async -> [IPAddress] {
        if let address = IPAddress(name) { return [address] }
        return await withCheckedContinuation { continuation in
            self.queue.async { continuation.resume(returning: Self.lookUp(name)) }
        }
    }

    private static func lookUp(_ name: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr,
                entry.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            let bytes = text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
            if status == 0, let address = IPAddress(String(decoding: bytes, as: UTF8.self)),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        return preferringIPv4(addresses)
    }
}

/// IPv4 addresses where there are any: interception and the mesh's own addresses are IPv4 first.
func preferringIPv4(_ addresses: [IPAddress]) -> [IPAddress] {
    let four = addresses.filter { $0.bitCount == 32 }
    return four.isEmpty ? addresses : four
}
