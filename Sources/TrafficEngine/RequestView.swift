/// A part of received bytes.
package struct ByteRange: Hashable, Sendable {
    package var start: UInt32
    package var count: UInt32

    @inlinable
    package init(start: UInt32, count: UInt32) {
        self.start = start
        self.count = count
    }

    @inlinable package var isEmpty: Bool { self.count == 0 }
    @inlinable package var end: UInt32 { self.start + self.count }
}

/// One header line: where its name and its trimmed value stand.
package struct HeaderField: Hashable, Sendable {
    package var name: ByteRange
    package var value: ByteRange

    @inlinable
    package init(name: ByteRange, value: ByteRange) {
        self.name = name
        self.value = value
    }
}

/// A request's head as the codec sees it: offsets into received bytes, nothing copied or decoded.
///
/// Valid only during the call that it is passed to.
package struct RequestView {
    package var bytes: UnsafeRawBufferPointer
    package var method: ByteRange
    /// Path and query as received in origin form.
    package var target: ByteRange
    /// The `Host` value (or the authority of an absolute-form target), port included.
    package var authority: ByteRange
    package var headers: UnsafeBufferPointer<HeaderField>
    /// The client's scheme is `https`.
    package var isSecure: Bool

    @inlinable
    package init(
        bytes: UnsafeRawBufferPointer,
        method: ByteRange,
        target: ByteRange,
        authority: ByteRange,
        headers: UnsafeBufferPointer<HeaderField>,
        isSecure: Bool = false
    ) {
        self.isSecure = isSecure
        self.bytes = bytes
        self.method = method
        self.target = target
        self.authority = authority
        self.headers = headers
    }

    @inlinable
    package subscript(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self.bytes[Int(range.start)..<Int(range.start + range.count)])
    }
}
