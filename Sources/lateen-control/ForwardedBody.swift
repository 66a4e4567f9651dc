import Hummingbird
import NIOCore
import Synchronization

/// A request's body on its way to a pod.
///
/// An answer may come before all of it: from a pod that does not want the rest, or since the time has run out. Who forwards
/// it may then wait for a next part still, and a connection can be read by one only; so it ends with such an answer.
struct ForwardedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// An answer has been given before all of its request was read.
    struct Unread: Error {}

    fileprivate enum Reading { case notBegun, begun, ended }

    fileprivate final class Shared: Sendable {
        let reading = Mutex(Reading.notBegun)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: RequestBody.AsyncIterator
        fileprivate let shared: Shared

        @concurrent mutating func next() async throws -> ByteBuffer? {
            let part = try await self.base.next()
            if part == nil { self.shared.reading.withLock { $0 = .ended } }
            return part
        }
    }

    private let body: RequestBody
    private let shared = Shared()

    init(_ body: RequestBody) { self.body = body }

    /// The body for somebody who reads it, now or later.
    func handedOver() -> Self {
        self.shared.reading.withLock { if $0 == .notBegun { $0 = .begun } }
        return self
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.body.makeAsyncIterator(), shared: self.shared)
    }

    /// The answer as it is; the connection ends after it if the request may still be read then.
    func ending(_ response: Response) -> Response {
        if self.shared.reading.withLock({ $0 == .notBegun }) { return response }
        let body = response.body
        var ending = response
        ending.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            if self.shared.reading.withLock({ $0 == .begun }) { throw Unread() }
        }
        return ending
    }
}
