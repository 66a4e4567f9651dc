internal import MeshModel
internal import NIOCore
internal import TrafficEngine

extension SocketAddress {
    /// The same address in the form of the socket calls.
    init(_ address: NetworkAddress) {
        do {
            self = try SocketAddress(packedIPAddress: ByteBuffer(bytes: address.ip.bytes), port: Int(address.port))
        } catch {
            preconditionFailure("an IP address has 4 or 16 bytes")
        }
    }
}

extension NetworkAddress {
    /// The address of a socket call's result; `nil` for a Unix socket. A mapped IPv4 address becomes one.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let four): self = withUnsafeBytes(of: four.address) { NetworkAddress(rawFour: $0) }
        case .v6(let six): self = withUnsafeBytes(of: six.address) { NetworkAddress(rawSix: $0) }
        case .unixDomainSocket: return nil
        }
    }

    /// From the bytes of a `sockaddr_in`: port at 2, address at 4, in network order.
    init(rawFour bytes: UnsafeRawBufferPointer) {
        self.init(
            ip: .v4(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
            port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        )
    }

    /// From the bytes of a `sockaddr_in6`: port at 2, address at 8, in network order.
    init(rawSix bytes: UnsafeRawBufferPointer) {
        let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        self.init(
            ip: isMapped ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high: high, low: low),
            port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        )
    }
}
