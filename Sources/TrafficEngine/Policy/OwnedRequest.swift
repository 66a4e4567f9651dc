/// A copy of a request's head, for policies that go on when the received bytes are gone or headers were changed.
package struct OwnedRequest: Sendable {
    private var bytes: [UInt8]
    private var method: ByteRange
    private var target: ByteRange
    private var authority: ByteRange
    private var headers: [HeaderField]
    private var isSecure: Bool

    package init(_ view: RequestView) {
        // One copy up to the last byte that is pointed to: line by line costs more than what stands between lines.
        var end = max(view.method.end, view.target.end, view.authority.end)
        for field in view.headers { end = max(end, field.name.end, field.value.end) }
        self.bytes = Array(UnsafeRawBufferPointer(rebasing: view.bytes.prefix(Int(end))))
        self.headers = Array(view.headers)
        self.method = view.method
        self.target = view.target
        self.authority = view.authority
        self.isSecure = view.isSecure
    }

    /// Names and values of its header lines together.
    var headerBytes: Int { self.headers.reduce(0) { $0 + Int($1.name.count) + Int($1.value.count) } }

    /// Whether both are the same, byte by byte.
    func isSame(as other: OwnedRequest) -> Bool {
        self.isSecure == other.isSecure && self.method == other.method && self.target == other.target
            && self.authority == other.authority
            && self.bytes.withUnsafeBytes { own in other.bytes.withUnsafeBytes { own.isSame(as: $0) } }
            && self.headers.withUnsafeBytes { own in other.headers.withUnsafeBytes { own.isSame(as: $0) } }
    }

    /// The same of a head that stands where it was received.
    package func isSame(as view: RequestView) -> Bool {
        guard self.isSecure == view.isSecure, self.method == view.method, self.target == view.target,
            self.authority == view.authority, self.bytes.count <= view.bytes.count
        else { return false }
        // What nobody points to does not count; that all are pointed to in the same way says where the head ends.
        return self.headers.withUnsafeBytes { $0.isSame(as: UnsafeRawBufferPointer(view.headers)) }
            && self.bytes.withUnsafeBytes { $0.isSame(as: UnsafeRawBufferPointer(rebasing: view.bytes[..<$0.count])) }
    }

    /// Its head as if it had just been received.
    package func withView<Result>(_ body: (RequestView) -> Result) -> Result {
        self.bytes.withUnsafeBytes { bytes in
            self.headers.withUnsafeBufferPointer { headers in
                body(
                    RequestView(
                        bytes: bytes,
                        method: self.method,
                        target: self.target,
                        authority: self.authority,
                        headers: headers,
                        isSecure: self.isSecure
                    )
                )
            }
        }
    }

    /// Changes headers as they will be changed on the way to the endpoint, so that later policies see the same.
    package mutating func apply(_ edits: HeaderEdits) {
        let gone = edits.remove + edits.set.map(\.name)
        self.headers.removeAll { field in
            let start = Int(field.name.start)
            let name = self.bytes[start..<start + Int(field.name.count)]
            return gone.contains { $0.count == name.count && zip($0, name).allSatisfy { $0 == lowered($1) } }
        }
        for entry in edits.set + edits.add {
            let name = entry.name.withUnsafeBytes { self.append($0) }
            let value = entry.value.withUnsafeBytes { self.append($0) }
            self.headers.append(HeaderField(name: name, value: value))
        }
    }

    private mutating func append(_ source: UnsafeRawBufferPointer) -> ByteRange {
        let range = ByteRange(start: UInt32(self.bytes.count), count: UInt32(source.count))
        self.bytes.append(contentsOf: source)
        return range
    }
}
