internal import CDNSProxy
package import MeshModel
internal import NIOCore
internal import Synchronization

/// Address and port of who sent a datagram.
package struct DatagramSource: Hashable, Sendable {
    package var address: IPAddress
    package var port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// `nil` for an address of another kind than IP.
    init?(_ socket: SocketAddress) {
        guard let text = socket.ipAddress, let address = IPAddress(text), let port = socket.port else { return nil }
        self.init(address: address, port: UInt16(clamping: port))
    }

    /// `nil` for an address of another kind than IP.
    init?(_ socket: UnsafePointer<sockaddr_storage>) {
        var port: UInt16 = 0
        let address = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { bytes -> IPAddress? in
            guard let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return nil }
            switch lateen_address_parts(socket, start, &port) {
            case 4: return .v4(UInt32(bigEndian: bytes.load(as: UInt32.self)))
            case 16:
                let high = UInt64(bigEndian: bytes.load(as: UInt64.self))
                return .v6(high: high, low: UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)))
            default: return nil
            }
        }
        guard let address else { return nil }
        self.init(address: address, port: port)
    }
}

/// The sockets from which we ask other servers, to know our own questions should they come back to us.
///
/// A port alone does not tell them: another machine's client may have the same.
final class OwnSockets: Sendable {
    private let sockets = Mutex<Set<DatagramSource>>([])
    /// Nearly always there are none: then nobody needs the lock.
    private let count = Atomic<Int>(0)

    func insert(_ socket: DatagramSource) { self.change { $0.insert(socket) } }

    func remove(_ socket: DatagramSource) { self.change { $0.remove(socket) } }

    func contains(_ source: @autoclosure () -> DatagramSource?) -> Bool {
        guard self.count.load(ordering: .relaxed) > 0, let source = source() else { return false }
        return self.sockets.withLock { $0.contains(source) }
    }

    private func change(_ body: (inout Set<DatagramSource>) -> Void) {
        self.sockets.withLock { sockets in
            body(&sockets)
            self.count.store(sockets.count, ordering: .relaxed)
        }
    }
}
