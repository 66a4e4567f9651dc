internal import NIOCore
internal import TrafficEngine

/// A client's connection of HTTP/2; each of its streams is an exchange.
final class HTTP2ServerConnection: HTTP2Connection, TimerTarget {
    let manager: HTTPConnectionManager
    let facts: ClientFacts
    private let counters: HTTPCounters
    private var lastID: UInt32 = 0
    private var isDraining = false
    private var prefaceCount = 0
    private var timer: TimerWheel.ID = -1
    private var idleDeadline = Tick.never
    /// Objects of streams that have ended, for the next ones.
    private var spare: [ServerStream] = []

    init(worker: Worker, manager: HTTPConnectionManager, facts: ClientFacts) {
        self.manager = manager
        self.facts = facts
        self.counters = worker.httpCounters(manager.statPrefix)
        super.init(worker: worker, settings: manager.http2, headBytesMax: manager.headBytesMax)
    }

    override func handlerAdded(context: ChannelHandlerContext) {
        super.handlerAdded(context: context)
        self.counters.counts.connections += 1
        self.counters.counts.connectionsActive += 1
        self.counters.counts.connectionsHTTP2 += 1
        self.timer = self.worker.wheel.add(self)
        self.begin(
            isClient: false,
            [
                (.concurrentStreamsMax, self.settings.concurrentStreamsMax),
                (.initialWindow, min(self.settings.streamWindow, UInt32(FlowWindow.sizeMax))),
                (.headListBytesMax, UInt32(clamping: self.headBytesMax)),
            ]
        )
        self.becomeIdle()
    }

    override func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainStarted {
            self.drain()
        } else {
            super.userInboundEventTriggered(context: context, event: event)
        }
    }

    override func connectionEnded() {
        self.counters.counts.connectionsActive -= 1
        if self.timer >= 0 { self.worker.wheel.remove(self.timer) }
        self.timer = -1
        for stream in self.spare { stream.retire() }
        self.spare.removeAll()
    }

    // MARK: Counting

    override func count(_ change: (inout HTTP2Counts) -> Void) { change(&self.worker.http2) }
    override func countReceived(_ bytes: Int) { self.counters.counts.bytesReceived += bytes }
    override func countSent(_ bytes: Int) { self.counters.counts.bytesSent += bytes }
    override var boundsResets: Bool { true }
    override func tooManyResets() { self.counters.counts.prematureResets += 1 }

    // MARK: Requests

    override func takePreface(_ input: inout ByteBuffer) -> Bool? {
        while self.prefaceCount < 24 {
            guard let byte = input.readInteger(as: UInt8.self) else { return nil }
            guard byte == FrameWriter.preface.utf8Start[self.prefaceCount] else {
                self.counters.counts.protocolErrors += 1
                return false
            }
            self.prefaceCount += 1
        }
        return true
    }

    override var lastStream: UInt32 { self.lastID }

    /// While it drains, streams may have been begun before our GOAWAY was seen; they are ignored (section 6.8).
    override func wasOpened(_ id: UInt32) -> Bool { id & 1 == 1 && (id <= self.lastID || self.isDraining) }

    override func headersReceived(
        _ id: UInt32,
        _ stream: HTTP2Stream?,
        _ block: UnsafeRawBufferPointer,
        endsStream: Bool
    ) {
        if let stream { return self.trailersReceived(stream, block, endsStream: endsStream) }
        // Section 5.1.1: odd, and each larger than the one before.
        guard id & 1 == 1 else { return self.fail(.protocol) }
        guard id > self.lastID else { return self.headersForClosed(id, block) }
        let isGoing = self.isDraining
        guard !isGoing else { return self.skip(block) }
        self.lastID = id
        guard self.streams.count < Int(self.settings.concurrentStreamsMax) else {
            self.refuse(id, block)
            return
        }
        guard self.assemble(block, .request) else { return }
        let server = self.spare.popLast() ?? ServerStream(connection: self)
        self.worker.http2.streamsActive += 1
        self.idleDeadline = Tick.never
        server.begin(self.open(id, owner: server), endsStream: endsStream)
    }

    /// More streams than were agreed on: the client may try again (section 5.1.2).
    private func refuse(_ id: UInt32, _ block: UnsafeRawBufferPointer) {
        self.skip(block)
        self.count { $0.streamsRefused += 1 }
        guard self.flood.allows(.freshReset, at: self.worker.wheel.now) else { return self.fail(.enhanceYourCalm) }
        self.resetSent(id, .refusedStream)
    }

    override func goAwayReceived(last: UInt32, _ code: ErrorCode) {
        // The client opens no more streams; those that are there end as usual.
        self.isDraining = true
        if self.streams.isEmpty { self.closeAfterFlush() }
    }

    override func streamRemoved(_ stream: HTTP2Stream) {
        self.worker.http2.streamsActive -= 1
        guard self.streams.isEmpty, !self.isEnded else { return }
        if self.isDraining { self.closeAfterFlush() } else { self.becomeIdle() }
    }

    /// A stream's object can serve another one.
    func recycle(_ stream: ServerStream) {
        if self.isEnded || self.spare.count >= 64 { stream.retire() } else { self.spare.append(stream) }
    }

    // MARK: The end

    /// New connections could not come in this way any more.
    func entranceHasGone() { self.drain() }

    /// No new streams; closes when the last one has ended.
    private func drain() {
        guard !self.isDraining, !self.isEnded else { return }
        self.isDraining = true
        self.goAway(.none)
        if self.streams.isEmpty { self.closeAfterFlush() }
    }

    private func becomeIdle() {
        guard let timeout = self.manager.idleTimeout, self.timer >= 0 else { return }
        self.idleDeadline = Tick.after(timeout, now: self.worker.wheel.now)
        self.worker.wheel.arm(self.timer, by: self.idleDeadline)
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.idleDeadline, self.streams.isEmpty else {
            return self.idleDeadline == Tick.never ? nil : self.idleDeadline
        }
        self.counters.counts.idleTimeouts += 1
        self.idleDeadline = Tick.never
        self.drain()
        return nil
    }
}
