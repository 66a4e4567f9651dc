/// A copy of a request's head, for policies that go on when the received bytes are gone or headers were changed.
package struct OwnedRequest: Sendable {
    private var bytes: [UInt8] = []
    private var method: ByteRange
    private var target: ByteRange
    private var authority: ByteRange
    private var headers: [HeaderField] = []
    private var isSecure = false

    package init(_ view: RequestView) {
        let empty = ByteRange(start: 0, count: 0)
        (self.method, self.target, self.authority) = (empty, empty, empty)
        self.bytes.reserveCapacity(view.bytes.count)
        self.method = self.append(view[view.method])
        self.target = self.append(view[view.target])
        self.authority = self.append(view[view.authority])
        self.isSecure = view.isSecure
        for field in view.headers { self.append(field, of: view) }
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

    private mutating func append(_ field: HeaderField, of view: RequestView) {
        let name = self.append(view[field.name])
        let value = self.append(view[field.value])
        self.headers.append(HeaderField(name: name, value: value))
    }

    private mutating func append(_ source: UnsafeRawBufferPointer) -> ByteRange {
        let range = ByteRange(start: UInt32(self.bytes.count), count: UInt32(source.count))
        self.bytes.append(contentsOf: source)
        return range
    }
}
