package import NIOCore

/// Answers the queries of one TCP connection, in whatever order answers come (RFC 7766 section 6.2.1.1).
package final class DNSStreamHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// The longest query: a name, an OPT record and generous options.
    package static let queryBytesMax = 4096
    /// Queries of one connection that are being answered; more are not read.
    package static let outstandingMax = 32

    private let core: AnsweringCore
    private let idleTimeout: TimeAmount
    private var frames = DNSFrames(bytesMax: DNSStreamHandler.queryBytesMax)
    private var outstanding = 0
    private var wantsRead = false
    private var isInputClosed = false
    private var isGone = false
    private var timer: Scheduled<Void>?

    package init(core: AnsweringCore, idleTimeout: TimeAmount) {
        self.core = core
        self.idleTimeout = idleTimeout
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.armTimer(context)
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.frames.append(self.unwrapInboundIn(data))
        self.work(context)
    }

    package func read(context: ChannelHandlerContext) {
        if self.outstanding < Self.outstandingMax {
            context.read()
        } else {
            self.wantsRead = true
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.isInputClosed = true
            self.closeIfDone(context)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.isGone = true
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func work(_ context: ChannelHandlerContext) {
        while self.outstanding < Self.outstandingMax, let query = self.frames.next() {
            self.armTimer(context)
            self.outstanding += 1
            let isAnswered = self.core.handle(query, .tcp) { self.send($0, context) }
            // Who sends responses to a server does not speak DNS.
            if !isAnswered { return context.close(promise: nil) }
        }
        if self.frames.isBroken { context.close(promise: nil) }
    }

    private func send(_ answer: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !self.isGone else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        // Counted until it has left: a client that does not read is not read from.
        written.futureResult.assumeIsolated().whenComplete { _ in self.sent(context) }
        context.writeAndFlush(self.wrapOutboundOut(DNSFrames.framed(answer)), promise: written)
    }

    private func sent(_ context: ChannelHandlerContext) {
        self.outstanding -= 1
        guard !self.isGone else { return }
        self.armTimer(context)
        self.work(context)
        self.closeIfDone(context)
        if self.wantsRead, self.outstanding < Self.outstandingMax {
            self.wantsRead = false
            context.read()
        }
    }

    private func closeIfDone(_ context: ChannelHandlerContext) {
        if self.isInputClosed, self.outstanding == 0 { context.close(promise: nil) }
    }

    /// Only whole queries and answers count: dripping bytes do not keep a connection.
    private func armTimer(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: self.idleTimeout) {
            context.close(promise: nil)
        }
    }
}
