import NIOCore
import NIOHTTP1
import NIOPosix

/// A service over HTTP; the path says what it answers.
final class HTTPService: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// So much of a refusal's body is passed on.
    static let bodyBytesMax = 64 * 1024

    private var path = ""

    static func start() async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(HTTPService())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.path = head.uri
        case .body: ()
        case .end: self.answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        switch self.path {
        case "/check/allow": self.write(context, .ok, [("content-type", "text/html"), ("x-user", "me")], "ok")
        case "/check/json": self.write(context, .unauthorized, [("content-type", "application/json")], "{}")
        case "/check/long":
            self.write(context, .forbidden, [], String(repeating: "x", count: Self.bodyBytesMax + 1))
        case "/check/stalled":
            self.write(context, .forbidden, [("content-length", "10")], "abc", ends: false)
        default: self.write(context, .internalServerError, [], "broken")
        }
    }

    private func write(
        _ context: ChannelHandlerContext,
        _ status: HTTPResponseStatus,
        _ headers: [(String, String)],
        _ body: String,
        ends: Bool = true
    ) {
        var head = HTTPResponseHead(version: .http1_1, status: status, headers: HTTPHeaders(headers))
        if ends { head.headers.add(name: "content-length", value: "\(body.utf8.count)") }
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        if ends { context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
    }
}
