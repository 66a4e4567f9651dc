internal import NIOCore
internal import TrafficEngine

/// The beginning of a request's body for services that decide by it; the body itself goes on as it came.
struct CheckedBody {
    /// How a body comes.
    struct Form {
        /// In chunks of HTTP/1.
        var isChunked = false
        /// What the head says of its length; `nil`: nothing.
        var length: Int?
    }

    /// Of the body proper, one byte more than any service wants.
    private(set) var bytes: [UInt8] = []
    private let form: Form
    private let bytesMax: Int
    /// As it came.
    private var bytesReceived = 0
    private var isWhole = false
    /// Takes chunks off; they were checked when they came.
    private var chunks = BodyReader(.chunked)

    /// - Parameters:
    ///   - form: how it comes.
    ///   - bytesMax: what the greediest service wants.
    init(_ form: Form, bytesMax: Int) {
        self.form = form
        self.bytesMax = bytesMax
    }

    mutating func take(_ slice: ByteBuffer, isLast: Bool) {
        self.bytesReceived += slice.readableBytes
        self.isWhole = isLast
        slice.withUnsafeReadableBytes { received in
            guard self.form.isChunked else { return self.keep(received) }
            var chunks = self.chunks
            _ = chunks.takePayload(received) { self.keep(UnsafeRawBufferPointer(rebasing: received[$0])) }
            self.chunks = chunks
        }
    }

    private mutating func keep(_ part: UnsafeRawBufferPointer) {
        self.bytes.append(contentsOf: part.prefix(self.bytesMax + 1 - self.bytes.count))
    }

    /// What a service is shown now.
    func shown(to wish: BodyWish) -> BodyWish.OnBody {
        // All of it is held as it came: framing that is far more than what it holds has no end.
        if self.form.isChunked, !self.isWhole, self.bytesReceived > 16 * max(wish.bytesMax, 4096) { return .refuse }
        return wish.bodyReceived(self.bytes.count, isWhole: self.isWhole, length: self.form.length)
    }
}
