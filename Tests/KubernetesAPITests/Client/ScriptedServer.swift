import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server on a free port of loopback that answers as a test says.
enum ScriptedServer {
    struct Request: Sendable {
        var method: String
        var uri: String
        var headers: [String: String]
        var body: String
    }

    struct Reply: Sendable {
        var status = 200
        /// Each goes out in a write of its own.
        var chunks: [String]
        /// Leave the answer open after the last chunk.
        var staysOpen = false
    }

    static func run<T: Sendable>(
        _ script: @escaping @Sendable (Request) -> Reply,
        body: @Sendable (String) async throws -> T
    ) async throws -> T {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ScriptedHandler(script: script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let result = try await body("http://127.0.0.1:\(channel.localAddress?.port ?? 0)")
            try await channel.close()
            return result
        } catch {
            try await channel.close()
            throw error
        }
    }
}

private final class ScriptedHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let script: @Sendable (ScriptedServer.Request) -> ScriptedServer.Reply
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(script: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Reply) { self.script = script }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body.clear()
        case .body(var chunk): self.body.writeBuffer(&chunk)
        case .end: self.answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let head = self.head else { return }
        let reply = self.script(
            ScriptedServer.Request(
                method: head.method.rawValue,
                uri: head.uri,
                headers: Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 }),
                body: String(buffer: self.body)
            )
        )
        let status = HTTPResponseStatus(statusCode: reply.status)
        let response = HTTPResponseHead(version: .http1_1, status: status, headers: ["transfer-encoding": "chunked"])
        context.writeAndFlush(self.wrapOutboundOut(.head(response)), promise: nil)
        for chunk in reply.chunks {
            context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: chunk)))), promise: nil)
        }
        if !reply.staysOpen { context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
    }
}
