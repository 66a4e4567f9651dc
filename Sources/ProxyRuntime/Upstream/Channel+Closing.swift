package import NIOCore

/// Sent to all connections when the proxy begins to drain.
struct DrainStarted {}

extension Channel {
    /// Closes one or both directions once all that was written is sent; the plain `close` drops what is waiting.
    func closeAfterFlush(mode: CloseMode) { self.whenFlushed { self.close(mode: mode, promise: nil) } }

    /// The same for both directions, and at the latest after `time`: a peer that takes nothing more is not waited for.
    package func closeAfterFlush(within time: TimeAmount) {
        let limit = self.eventLoop.assumeIsolated().scheduleTask(in: time) { self.close(promise: nil) }
        self.whenFlushed {
            limit.cancel()
            self.close(promise: nil)
        }
    }

    /// Calls `body` on the loop when all that was written is sent, or cannot be sent any more.
    func whenFlushed(_ body: @escaping () -> Void) {
        let promise = self.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in body() }
        self.writeAndFlush(ByteBuffer(), promise: promise)
    }
}
