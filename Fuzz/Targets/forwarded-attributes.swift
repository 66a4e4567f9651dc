// What callers' proxies say of themselves: nothing traps the decoder, and what it takes is a pod of the peer's namespace.

import TrafficEngine

private let scheme = "kubernetes://"
private let suffix = ".shop"

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let value = UnsafeRawBufferPointer(start: data, count: count)
    guard let uid = ForwardedAttributes.sourceUID(in: value, of: "shop") else { return 0 }
    let text = String(decoding: uid, as: UTF8.self)
    invariant(text.utf8.count == uid.count, "a name that is no text was taken")
    invariant(text.hasPrefix(scheme) && text.hasSuffix(suffix), "\(text) is no pod of the namespace")
    invariant(uid.count > scheme.utf8.count + suffix.utf8.count, "a pod without a name was taken")
    let again = ForwardedAttributes.value(sourceUID: text)
    let read = again.withUnsafeBytes { ForwardedAttributes.sourceUID(in: $0, of: "shop") }
    invariant(read == uid, "told again, it has changed")
    invariant(
        again.withUnsafeBytes { ForwardedAttributes.sourceUID(in: $0, of: "shop2") } == nil,
        "another namespace's pod was taken"
    )
    return 0
}
