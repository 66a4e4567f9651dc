internal import NIOCore
internal import NIOWebSocket

/// Counts what a connection has sent of a message that has not ended, and ends the connection if that is too much.
///
/// It stands before everything that keeps bytes; ``StatMessageEnds`` tells it when they have been read.
final class StatConnectionLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let desk: StatDesk
    private var unfinished = 0
    private var isClosed = false

    init(_ desk: StatDesk) { self.desk = desk }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let count = self.unwrapInboundIn(data).readableBytes
        guard !self.isClosed else { return }
        self.unfinished += count
        guard self.desk.received(count, unfinished: self.unfinished) else {
            self.desk.refused(.unfinished, peer: context.remoteAddress)
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.close()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.close() }

    private func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.desk.closed(unfinished: self.unfinished)
    }

    /// All that has come belonged to messages that have ended; of one that begins behind them at most one read is left out.
    fileprivate func messageEnded() { self.ended(self.unfinished) }

    /// A message may have such frames in its midst.
    fileprivate func controlFrameEnded(length: Int) { self.ended(min(self.unfinished, length)) }

    private func ended(_ count: Int) {
        guard !self.isClosed else { return }
        self.unfinished -= count
        self.desk.ended(count)
    }
}

/// Stands behind everything that keeps bytes of messages, and tells when one has ended.
final class StatMessageEnds: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame

    /// Of a control frame, masked as all of clients are (RFC 6455 section 5.2).
    private static let controlHeadLength = 6

    private let limit: StatConnectionLimit

    init(_ limit: StatConnectionLimit) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        if frame.opcode.isControlOpcode {
            self.limit.controlFrameEnded(length: Self.controlHeadLength + frame.length)
        } else {
            self.limit.messageEnded()
        }
        context.fireChannelRead(data)
    }
}
