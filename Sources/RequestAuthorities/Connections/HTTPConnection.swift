internal import NIOCore
internal import NIOHTTP1

/// What a service answered in HTTP.
struct HTTPReply: Sendable {
    var status: Int
    var headers: HTTPHeaders
    /// As much of it as is wanted and came in time.
    var body: [UInt8] = []
}

/// Why there is no answer.
struct HTTPReplyError: Error, CustomStringConvertible {
    var description: String
    /// The connection ended before a byte of an answer; if it was kept, the service may just have closed it.
    var wasUnanswered: Bool
}

/// A connection to a service in HTTP/1.1 that is asked one question after the other; lives on its loop.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// A connection that nobody has used for so long is closed, before the service does it.
    private static let idleLimit = TimeAmount.seconds(30)

    private struct Asked {
        var promise: EventLoopPromise<HTTPReply>
        var bodyBytesMax: Int
        var timeout: Scheduled<Void>
        var reply: HTTPReply?
    }

    private var context: ChannelHandlerContext?
    private var asked: Asked?
    private var keepsAlive = false
    private var idle: Scheduled<Void>?

    /// Whether another question may be asked.
    private(set) var isUsable = true

    /// Asks.
    ///
    /// - Parameters:
    ///   - head: of the request, with a `content-length` that fits.
    ///   - body: may be empty.
    ///   - bodyBytesMax: so much of the answer's body is wanted.
    ///   - timeout: for the answer. One whose head has come by then counts, with as much of its body as there is.
    ///   - loop: the connection's.
    /// - Returns: the answer, or `HTTPReplyError`.
    func ask(
        _ head: HTTPRequestHead,
        body: [UInt8],
        bodyBytesMax: Int,
        within timeout: TimeAmount,
        on loop: any EventLoop
    ) -> EventLoopFuture<HTTPReply> {
        guard let context = self.context, self.isUsable, self.asked == nil else {
            return loop.makeFailedFuture(HTTPReplyError(description: "connection ended", wasUnanswered: true))
        }
        self.idle?.cancel()
        let promise = loop.makePromise(of: HTTPReply.self)
        let expiry = loop.assumeIsolated().scheduleTask(in: timeout) {
            self.end(HTTPReplyError(description: "no answer in time", wasUnanswered: false))
        }
        self.asked = Asked(promise: promise, bodyBytesMax: bodyBytesMax, timeout: expiry)
        self.keepsAlive = false
        // A head that may not be sent (RFC 9110 section 5.5) is not asked about.
        let written = loop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenFailure { error in
            self.end(HTTPReplyError(description: "\(error)", wasUnanswered: false))
        }
        context.write(self.wrapOutboundOut(.head(head)), promise: written)
        if !body.isEmpty {
            context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        return promise.futureResult
    }

    func close() { self.end(HTTPReplyError(description: "connection closed", wasUnanswered: true)) }

    // MARK: Handler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end(HTTPReplyError(description: "connection ended", wasUnanswered: true))
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.asked?.reply = HTTPReply(status: Int(head.status.code), headers: head.headers)
            self.keepsAlive = head.isKeepAlive
        case .body(let part):
            guard let asked = self.asked, let reply = asked.reply else { return }
            let left = asked.bodyBytesMax - reply.body.count
            self.asked?.reply?.body += part.readableBytesView.prefix(left)
            // The rest is nobody's.
            if part.readableBytes > left { self.close() }
        case .end:
            guard self.keepsAlive else { return self.close() }
            self.finish()
            self.idle = context.eventLoop.assumeIsolated().scheduleTask(in: Self.idleLimit) { self.close() }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(HTTPReplyError(description: "\(error)", wasUnanswered: false))
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(HTTPReplyError(description: "the service closed the connection", wasUnanswered: true))
        context.fireChannelInactive()
    }

    // MARK: Ends

    /// The connection is not used any more. A status that has come has decided, whatever becomes of its body.
    private func end(_ error: HTTPReplyError) {
        self.isUsable = false
        self.idle?.cancel()
        self.finish(error)
        self.context?.close(promise: nil)
    }

    private func finish(_ error: HTTPReplyError? = nil) {
        guard let asked = self.asked else { return }
        self.asked = nil
        asked.timeout.cancel()
        if let reply = asked.reply {
            asked.promise.succeed(reply)
        } else {
            asked.promise.fail(error ?? HTTPReplyError(description: "an answer without a head", wasUnanswered: false))
        }
    }
}
