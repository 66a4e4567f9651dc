// Answers from bytes to bytes: nothing traps, and what is answered is byte for byte what the event loop would answer.

import DNSProxy
import DNSWire
import MeshModel
import NIOCore

private let table = DNSTable(
    hosts: [
        DNSHost(
            name: "db.ns1.svc.cluster.local",
            addresses: [.v4(1), .v4(2), .v6(high: 1, low: 2)],
            registry: .kubernetes(name: "db", namespace: "ns1"),
            ports: [DNSHost.NamedPort(name: "http", port: 80)],
            instances: ["db-0": .v4(1)]
        ),
        DNSHost(name: "many.test", addresses: (0..<300).map { .v4($0) }),
        DNSHost(name: "six.test", addresses: [.v6(high: 3, low: 4)]),
        DNSHost(name: "*.wild.test", addresses: [.v4(5)]),
        DNSHost(name: "alias.test", addresses: [], alias: "six.test"),
        DNSHost(name: "a.a.a.a", addresses: [.v4(6)]),
    ],
    viewpoint: DNSViewpoint(namespace: "ns1", search: ["ns1.svc.cluster.local", "svc.cluster.local", "a.a", "test"])
)
private nonisolated(unsafe) let answerer = QuickAnswerer()
private nonisolated(unsafe) var rotation: UInt32 = 0
private nonisolated(unsafe) let core = AnsweringCore(
    table: table,
    recentNames: nil,
    nextRotation: { rotation },
    forward: { _, done in done(.failed) }
)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: data, count: count))
    compare(bytes)
    // Most inputs are no queries: the same bytes once more as the question and the rest of a good header.
    compare([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + bytes)
    compare([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1] + bytes)
    return 0
}

private func compare(_ bytes: [UInt8]) {
    rotation = bytes.reduce(7) { $0 &* 31 &+ UInt32($1) }
    guard let quick = answerer.answer(bytes, from: table, rotation: rotation) else { return }
    var general: [UInt8]?
    core.handle(ByteBuffer(bytes: bytes), .udp(from: nil)) { general = Array($0.readableBytesView) }
    invariant(general == quick, "\(quick) is not \(general ?? [])")
}
