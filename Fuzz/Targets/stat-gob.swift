// Stat messages in Go's gob: no frame breaks the reader, and what it makes of one is the same after writing it anew.

import RequestReports

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let messages = try? GobStatCodec.decode(Array(UnsafeRawBufferPointer(start: data, count: count))) else {
        return 0
    }
    for message in messages {
        let frame = GobStatCodec.encode(message, as: .namespacedName)
        guard let again = try? GobStatCodec.decode(frame) else { fatalError("cannot read what was written") }
        let stat = message.stat
        // A number that is none equals nothing, itself included.
        let numbers = [
            stat.averageConcurrentRequests, stat.averageProxiedConcurrentRequests, stat.requestCount,
            stat.proxiedRequestCount,
        ]
        guard numbers.allSatisfy({ !$0.isNaN }) else { continue }
        invariant(again == [message], "written and read, a message has changed")
    }
    return 0
}
