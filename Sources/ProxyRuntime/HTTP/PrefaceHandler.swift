internal import NIOCore
internal import TrafficEngine

/// Waits for the byte that tells HTTP/2 by prior knowledge (RFC 9113 section 3.3) from HTTP/1, and puts the codec in its
/// own place.
final class PrefaceHandler: ChannelInboundHandler, RemovableChannelHandler, TimerTarget {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let worker: Worker
    private let manager: HTTPConnectionManager
    private let facts: ClientFacts
    private var received = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var timer: TimerWheel.ID = -1
    private var deadline = Tick.never
    private var isDone = false

    init(worker: Worker, manager: HTTPConnectionManager, facts: ClientFacts) {
        self.worker = worker
        self.manager = manager
        self.facts = facts
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard let timeout = self.manager.idleTimeout else { return }
        self.timer = self.worker.wheel.add(self)
        self.deadline = Tick.after(timeout, now: self.worker.wheel.now)
        self.worker.wheel.arm(self.timer, by: self.deadline)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.stopTimer()
        self.context = nil
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.deadline else { return self.deadline }
        self.context?.close(promise: nil)
        return nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isDone {
            context.fireChannelRead(data)
            return
        }
        var bytes = self.unwrapInboundIn(data)
        if self.received.readableBytes == 0 { self.received = bytes } else { self.received.writeBuffer(&bytes) }
        guard let isHTTP2 = self.verdict else { return }
        self.finish(isHTTP2: isHTTP2)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if !self.isDone {
            if event is DrainStarted { return context.close(promise: nil) }
            if case ChannelEvent.inputClosed = event {
                // Whatever it was, it will not become HTTP/2 any more.
                self.finish(isHTTP2: false, inputHasEnded: true)
                return
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// `nil`: more bytes are needed. No method that is in use begins with `PRI `.
    private var verdict: Bool? {
        self.received.withUnsafeReadableBytes { bytes in
            for index in 0..<min(4, bytes.count) where bytes[index] != FrameWriter.preface.utf8Start[index] {
                return false
            }
            return bytes.count >= 4 ? true : nil
        }
    }

    private func finish(isHTTP2: Bool, inputHasEnded: Bool = false) {
        guard !self.isDone, let context = self.context else { return }
        self.isDone = true
        self.stopTimer()
        let handler: any ChannelHandler =
            isHTTP2
            ? HTTP2ServerConnection(worker: self.worker, manager: self.manager, facts: self.facts)
            : ServerConnection(worker: self.worker, manager: self.manager, facts: self.facts)
        do {
            try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
        } catch {
            context.close(promise: nil)
            return
        }
        if self.received.readableBytes > 0 {
            let received = self.received
            self.received = ByteBuffer()
            context.fireChannelRead(self.wrapInboundOut(received))
        }
        if inputHasEnded { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        // Only then: a handler without a context could pass nothing on.
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func stopTimer() {
        guard self.timer >= 0 else { return }
        self.worker.wheel.remove(self.timer)
        self.timer = -1
    }
}
