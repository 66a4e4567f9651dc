internal import NIOCore

/// Sent to all connections when the proxy begins to drain.
struct DrainStarted {}

extension Channel {
    /// Closes one or both directions once all that was written is sent; the plain `close` drops what is waiting.
    func closeAfterFlush(mode: CloseMode) { self.whenFlushed { self.close(mode: mode, promise: nil) } }

    /// Calls `body` on the loop when all that was written is sent, or cannot be sent any more.
    func whenFlushed(_ body: @escaping () -> Void) {
        let promise = self.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in body() }
        self.writeAndFlush(ByteBuffer(), promise: promise)
    }
}
