// Looking at a connection's first bytes: nothing traps it, and what was found does not change when more bytes come.

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    let whole = withExactCopy(bytes, 0..<count) { ClientHello.parse($0) }
    var decided: ClientHello.Parsed?
    for end in cuts(of: bytes) {
        let found = withExactCopy(bytes, 0..<end) { ClientHello.parse($0) }
        if let decided { invariant(found == decided, "more bytes changed the hello") }
        if found != .needsMore { decided = found }
    }
    invariant((decided ?? .needsMore) == whole, "in parts it is another hello")
    if case .hello(let hello) = whole, let name = hello.serverName {
        invariant(!name.isEmpty && name.utf8.count <= 255 && name == name.lowercased(), "no host name")
    }

    for (http, tls) in [(true, true), (true, false), (false, true), (false, false)] {
        let inspector = ProtocolInspector(inspectsHTTP: http, inspectsTLS: tls)
        var finding: ProtocolInspector.Inspection?
        for end in cuts(of: bytes) {
            let found = withExactCopy(bytes, 0..<end) { inspector.inspect($0) }
            if let finding { invariant(found == finding, "more bytes changed what was found") }
            if found != .needsMore { finding = found }
        }
    }
    return 0
}
