import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// Serves the requests of one connection, one after the other.
struct HTTPConnection: Sendable {
    typealias ResponsePart = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias AsyncChannel = NIOAsyncChannel<HTTPServerRequestPart, ResponsePart>
    typealias Outbound = NIOAsyncChannelOutboundWriter<ResponsePart>

    let dispatcher: APIDispatcher
    let authenticator: Authenticator
    let bodyBytesMax: Int
    let logger: Logger

    /// Ends when the client closes the connection, also in the middle of a watch.
    func serve(_ channel: AsyncChannel) async {
        let (closed, close) = AsyncStream<Void>.makeStream()
        channel.channel.closeFuture.whenComplete { _ in close.finish() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await channel.executeThenClose { inbound, outbound in
                        try await self.requests(inbound, outbound, channel.channel)
                    }
                } catch {
                    self.logger.debug("connection ended", metadata: ["error": "\(error)"])
                }
            }
            group.addTask { for await _ in closed {} }
            await group.next()
            group.cancelAll()
        }
    }

    private func requests(
        _ inbound: NIOAsyncChannelInboundStream<HTTPServerRequestPart>,
        _ outbound: Outbound,
        _ channel: any Channel
    ) async throws {
        var parts = inbound.makeAsyncIterator()
        while let part = try await parts.next() {
            guard case .head(let head) = part else { continue }
            if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
            }
            var body = ByteBuffer()
            var isTooLarge = false
            reading: while let part = try await parts.next() {
                switch part {
                case .head: break reading
                case .body(var chunk):
                    if body.readableBytes + chunk.readableBytes > self.bodyBytesMax {
                        isTooLarge = true
                        break reading
                    }
                    body.writeBuffer(&chunk)
                case .end: break reading
                }
            }
            if isTooLarge {
                let failure = APIFailure(
                    413,
                    "RequestEntityTooLarge",
                    "the request's body is larger than \(self.bodyBytesMax) bytes"
                )
                try await self.send(.json(failure.status, code: 413), head, outbound, keepsAlive: false)
                return
            }
            let response = await self.answer(head, body, channel)
            let keepsAlive = head.isKeepAlive
            try await self.send(response, head, outbound, keepsAlive: keepsAlive)
            if !keepsAlive { return }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer, _ channel: any Channel) async -> APIResponse {
        do {
            let certificate = try await channel.nioSSL_peerCertificate().get()
            let sender = try await self.authenticator.identity(certificate: certificate, headers: head.headers)
            let identity = try self.dispatcher.authorizer.acting(sender, head.headers)
            let request = try APIRequest(head: head, body: body, identity: identity)
            return try await self.dispatcher.handle(request)
        } catch let failure as APIFailure {
            return .json(failure.status, code: failure.code)
        } catch {
            self.logger.error("request failed", metadata: ["error": "\(error)"])
            return .json(APIFailure.internalError("\(error)").status, code: 500)
        }
    }

    private func send(
        _ response: APIResponse,
        _ request: HTTPRequestHead,
        _ outbound: Outbound,
        keepsAlive: Bool
    ) async throws {
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: response.code))
        if !keepsAlive { head.headers.add(name: "connection", value: "close") }
        if response.code == 401 { head.headers.add(name: "www-authenticate", value: "Bearer") }
        head.headers.add(name: "cache-control", value: "no-cache, private")
        for warning in response.warnings {
            // A header's value has no control characters; what wrote the warning may quote what somebody sent.
            let text = warning.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .filter { character in character.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f } }
            head.headers.add(name: "warning", value: "299 - \"\(text)\"")
        }
        switch response.body {
        case .json(let value):
            try await self.send(ByteBuffer(bytes: value.serialize()), "application/json", head, outbound)
        case .bytes(let bytes, let contentType): try await self.send(bytes, contentType, head, outbound)
        case .stream(let contentType, let produce):
            head.headers.add(name: "content-type", value: contentType)
            head.headers.add(name: "transfer-encoding", value: "chunked")
            try await outbound.write(.head(head))
            try await produce { try await outbound.write(.body($0)) }
            try await outbound.write(.end(nil))
        }
    }

    private func send(
        _ bytes: ByteBuffer,
        _ contentType: String,
        _ head: HTTPResponseHead,
        _ outbound: Outbound
    ) async throws {
        var head = head
        head.headers.add(name: "content-type", value: contentType)
        head.headers.add(name: "content-length", value: String(bytes.readableBytes))
        try await outbound.write(contentsOf: [.head(head), .body(bytes), .end(nil)])
    }
}

/// Wraps response bodies for the encoder, which wants `IOData`.
final class ResponseBodyWrapper: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = HTTPConnection.ResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(let head): context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end(let trailers): context.write(self.wrapOutboundOut(.end(trailers)), promise: promise)
        }
    }
}

/// Closes a connection whose first bytes do not come in time, so that idle handshakes do not pile up.
final class FirstBytesDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private static let limit: TimeAmount = .seconds(30)
    private var deadline: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.deadline = context.eventLoop.scheduleTask(in: Self.limit) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.deadline?.cancel()
        self.deadline = nil
        context.fireChannelRead(data)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.deadline?.cancel() }
}
