extension OwnedRequest {
    /// A request that nobody has sent, as a proxy would have received it. `authority` is the host, with a port unless it is
    /// the usual one; `headers` are those besides `host`, in their order.
    package init(
        method: String,
        target: String,
        authority: String,
        headers: [(name: String, value: String)],
        isSecure: Bool
    ) {
        var bytes: [UInt8] = []
        func range(_ part: String) -> ByteRange {
            let start = UInt32(bytes.count)
            bytes.append(contentsOf: part.utf8)
            return ByteRange(start: start, count: UInt32(part.utf8.count))
        }
        let method = range(method)
        let target = range(target)
        let authority = range(authority)
        var fields: [HeaderField] = []
        if !authority.isEmpty { fields.append(HeaderField(name: range("host"), value: authority)) }
        for (name, value) in headers { fields.append(HeaderField(name: range(name), value: range(value))) }
        self = bytes.withUnsafeBytes { bytes in
            fields.withUnsafeBufferPointer { fields in
                OwnedRequest(
                    RequestView(
                        bytes: bytes,
                        method: method,
                        target: target,
                        authority: authority,
                        headers: fields,
                        isSecure: isSecure
                    )
                )
            }
        }
    }
}
