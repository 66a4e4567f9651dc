internal import NIOCore
internal import TrafficEngine

/// Holds a connection's first bytes until it is known what it speaks, then puts the chosen chain's handler in its own
/// place and hands it the bytes.
final class InspectionHandler: ChannelDuplexHandler, RemovableChannelHandler, TimerTarget {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let worker: Worker
    private let listener: Listener
    private let facts: ClientFacts
    /// That of the state in which the connection came.
    private let tls: TLSTable
    private let inspector: ProtocolInspector
    private var received = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var timer: TimerWheel.ID = -1
    private var deadline = Tick.never
    private var inputHasEnded = false
    private var isDone = false
    private var looks = 0
    /// Bytes that trickle in one by one are looked at again and again: not for ever.
    private static let looksMax = 4096

    init(worker: Worker, listener: Listener, inspector: ProtocolInspector, facts: ClientFacts) {
        self.worker = worker
        self.listener = listener
        self.facts = facts
        self.tls = worker.tls
        self.inspector = inspector
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if let timeout = self.listener.inspectionTimeout {
            self.timer = self.worker.wheel.add(self)
            self.deadline = Tick.after(timeout, now: self.worker.wheel.now)
            self.worker.wheel.arm(self.timer, by: self.deadline)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.stopTimer()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.stopTimer()
        context.fireChannelInactive()
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.deadline else { return self.deadline }
        self.facts.listener.counts.inspectionTimedOut += 1
        self.finish(ProtocolInspector.Finding())
        return nil
    }

    func read(context: ChannelHandlerContext) {
        // The inspector has decided long before; this only bounds what a peer can make us hold.
        if self.received.readableBytes < ClientHello.bytesMax { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isDone {
            context.fireChannelRead(data)
            return
        }
        var bytes = self.unwrapInboundIn(data)
        if self.received.readableBytes == 0 { self.received = bytes } else { self.received.writeBuffer(&bytes) }
        self.inspect()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event, !self.isDone {
            // No more bytes will come: go on with what is known.
            self.inputHasEnded = true
            self.finish(ProtocolInspector.Finding())
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func inspect() {
        switch self.received.withUnsafeReadableBytes({ self.inspector.inspect($0) }) {
        case .needsMore where self.received.readableBytes < ClientHello.bytesMax && self.looks < Self.looksMax:
            self.looks += 1
        case .needsMore: self.finish(ProtocolInspector.Finding())
        case .found(let finding): self.finish(finding)
        case .helloTooLarge:
            self.facts.listener.counts.hellosTooLarge += 1
            self.isDone = true
            self.stopTimer()
            self.context?.close(promise: nil)
        }
    }

    private func finish(_ finding: ProtocolInspector.Finding) {
        guard !self.isDone, let context = self.context else { return }
        self.isDone = true
        self.stopTimer()
        guard
            case .handlers(let handlers) = Acceptor.entry(
                worker: self.worker,
                listener: self.listener,
                tls: self.tls,
                facts: self.facts,
                finding
            )
        else {
            context.close(promise: nil)
            return
        }
        do {
            // The last first: the one before it may have something to say as soon as it is there.
            for handler in handlers.reversed() {
                try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
            }
        } catch {
            context.close(promise: nil)
            return
        }
        if self.received.readableBytes > 0 {
            let received = self.received
            self.received = ByteBuffer()
            context.fireChannelRead(self.wrapInboundOut(received))
            context.fireChannelReadComplete()
        }
        if self.inputHasEnded { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        // Only then: a handler without a context could not pass the bytes on.
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        if !self.inputHasEnded { handlerNeedsRead(context) }
    }

    /// Reading may have stopped while bytes were held.
    private func handlerNeedsRead(_ context: ChannelHandlerContext) { context.channel.read() }

    private func stopTimer() {
        guard self.timer >= 0 else { return }
        self.worker.wheel.remove(self.timer)
        self.timer = -1
    }
}
