internal import NIOCore

/// A command on its way to Redis, and where its reply goes.
struct RedisCall: Sendable {
    var command: ByteBuffer
    var reply: EventLoopPromise<RedisReply>
}

/// Why there was no reply.
enum RedisFailure: Error, CustomStringConvertible {
    case notConnected
    case busy
    case closed

    var description: String {
        switch self {
        case .notConnected: "there is no connection to Redis"
        case .busy: "too many requests wait for Redis"
        case .closed: "the connection to Redis ended before its reply"
        }
    }
}

/// Pairs commands and replies, which come in the same order.
final class RedisChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = RedisCall
    typealias OutboundOut = ByteBuffer

    /// Calls that wait on one connection; Redis does them one after the other.
    private static let waitingMax = 1000

    private let timeout: TimeAmount
    private var waiting = CircularBuffer<(reply: EventLoopPromise<RedisReply>, deadline: NIODeadline)>()
    private var received = ByteBuffer()
    private var isWatched = false

    init(timeout: TimeAmount) { self.timeout = timeout }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let call = self.unwrapOutboundIn(data)
        guard self.waiting.count < Self.waitingMax else {
            call.reply.fail(RedisFailure.busy)
            promise?.succeed()
            return
        }
        self.waiting.append((call.reply, .now() + self.timeout))
        context.write(self.wrapOutboundOut(call.command), promise: promise)
        if !self.isWatched { self.watch(context) }
    }

    /// Ends the connection if its oldest call is too old: with a reply missing, later ones cannot be told apart.
    private func watch(_ context: ChannelHandlerContext) {
        guard let first = self.waiting.first else {
            self.isWatched = false
            return
        }
        self.isWatched = true
        _ = context.eventLoop.assumeIsolated().scheduleTask(deadline: first.deadline) {
            if let first = self.waiting.first, first.deadline <= .now() {
                context.close(promise: nil)
            } else if context.channel.isActive {
                self.watch(context)
            }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        do throws(RedisReply.Malformed) {
            while let reply = try RedisReply.read(&self.received) {
                guard let first = self.waiting.popFirst() else {
                    throw RedisReply.Malformed(description: "a reply that nobody waits for")
                }
                first.reply.succeed(reply)
            }
            self.received.discardReadBytes()
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        while let call = self.waiting.popFirst() { call.reply.fail(RedisFailure.closed) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
