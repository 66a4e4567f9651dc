internal import NIOCore
internal import TrafficEngine

/// A connection of HTTP/2 to an endpoint, shared by the requests of its loop.
final class HTTP2ClientConnection: HTTP2Connection, TimerTarget {
    let pool: EndpointPool
    /// The only host that requests on it may be for; `nil`: any.
    let host: String?
    /// It runs inside TLS.
    let isSecure: Bool
    private var nextID: UInt32 = 1
    /// The pool counts it as active.
    private var isOpen = false
    private var isDraining = false
    /// Taken and not begun yet.
    private var promised = 0
    private var timer: TimerWheel.ID = -1
    private var idleDeadline = Tick.never
    private var spare: [UpstreamStream] = []

    init(pool: EndpointPool, host: String?, isSecure: Bool) {
        self.pool = pool
        self.host = host
        self.isSecure = isSecure
        super.init(
            worker: pool.cluster.worker,
            settings: pool.cluster.cluster.http2,
            headBytesMax: 60 * 1024
        )
    }

    /// Some request has been on it.
    var wasUsed: Bool { self.nextID > 1 }

    var localAddress: NetworkAddress? { self.context?.localAddress.flatMap(NetworkAddress.init) }

    /// It is connected.
    func opened() {
        self.isOpen = true
        self.begin(
            isClient: true,
            [
                (.enablePush, 0),
                (.initialWindow, min(self.settings.streamWindow, UInt32(FlowWindow.sizeMax))),
                (.headListBytesMax, UInt32(clamping: self.headBytesMax)),
            ]
        )
    }

    // MARK: Streams

    var mayTakeStream: Bool {
        guard !self.isDraining, !self.isEnded, self.isOpen else { return false }
        let limit = min(self.settings.concurrentStreamsMax, self.peerStreamsMax ?? self.settings.concurrentStreamsMax)
        return self.streams.count + self.promised < Int(limit)
    }

    /// A stream for one request, if there is room; `begin` follows at once.
    func takeStream() -> UpstreamStream? {
        guard self.mayTakeStream else { return nil }
        self.promised += 1
        return self.spare.popLast() ?? UpstreamStream(connection: self)
    }

    func openStream(_ owner: UpstreamStream) -> HTTP2Stream {
        self.promised -= 1
        let id = self.nextID
        self.nextID += 2
        self.idleDeadline = Tick.never
        self.pool.cluster.counts.http2.streamsActive += 1
        let stream = self.open(id, owner: owner)
        let limit = self.pool.cluster.limits.requestsPerConnectionMax
        if limit > 0, (id + 1) / 2 >= limit {
            self.pool.cluster.counts.connectionsUsedUp += 1
            self.stopTaking()
        } else if self.nextID >= FrameHead.streamMax {
            self.stopTaking()
        }
        return stream
    }

    override func wasOpened(_ id: UInt32) -> Bool { id & 1 == 1 && id < self.nextID }

    override func headersReceived(
        _ id: UInt32,
        _ stream: HTTP2Stream?,
        _ block: UnsafeRawBufferPointer,
        endsStream: Bool
    ) {
        guard let stream else {
            if self.wasOpened(id) {
                self.headersForClosed(id, block, mayBeAnswer: true)
            } else {
                self.fail(.protocol)
            }
            return
        }
        guard let owner = stream.owner as? UpstreamStream else { return self.skip(block) }
        if owner.hasHead { return self.trailersReceived(stream, block, endsStream: endsStream) }
        guard self.assemble(block, .response) else { return }
        guard self.worker.assembler.fault == nil else { return self.streamFault(stream, .protocol) }
        if endsStream { stream.receiveEnded = true }
        owner.headReceived(endsStream: endsStream)
        self.closeIfDone(stream)
    }

    override func streamRemoved(_ stream: HTTP2Stream) {
        self.pool.cluster.counts.http2.streamsActive -= 1
        guard !self.isEnded else { return }
        if self.isDraining {
            if self.streams.isEmpty, self.promised == 0 { self.closeAfterFlush() }
            return
        }
        if self.streams.isEmpty { self.becomeIdle() }
        self.pool.streamsAvailable(self)
    }

    override func settingsChanged() { self.pool.streamsAvailable(self) }

    func recycle(_ stream: UpstreamStream) { if self.spare.count < 64, !self.isEnded { self.spare.append(stream) } }

    // MARK: Counting

    override func count(_ change: (inout HTTP2Counts) -> Void) { change(&self.pool.cluster.counts.http2) }
    override func countReceived(_ bytes: Int) { self.pool.cluster.counts.bytesReceived += bytes }
    override func countSent(_ bytes: Int) { self.pool.cluster.counts.bytesSent += bytes }

    // MARK: The end

    override func goAwayReceived(last: UInt32, _ code: ErrorCode) {
        self.stopTaking()
        // Section 6.8: what is above was not looked at, and may be sent again elsewhere.
        for stream in self.streams.values.filter({ $0.id > last }).sorted(by: { $0.id < $1.id }) {
            let owner = stream.owner
            stream.owner = nil
            self.reset(stream, .cancel)
            owner?.connectionLost(wasSeen: false)
        }
        if self.streams.isEmpty, self.promised == 0 { self.closeAfterFlush() }
    }

    private func stopTaking() {
        guard !self.isDraining else { return }
        self.isDraining = true
        self.pool.exhausted(self)
    }

    /// No new streams; closes when the last one has ended.
    func drain() {
        self.isDraining = true
        if self.streams.isEmpty, self.promised == 0 { self.closeAfterFlush() }
    }

    override func connectionEnded() {
        if self.timer >= 0 { self.worker.wheel.remove(self.timer) }
        self.timer = -1
        self.spare.removeAll()
        if self.isOpen { self.pool.closed(self) }
    }

    /// Nobody waited for it any more when it was there.
    func becomeIdleIfUnused() { if self.streams.isEmpty, self.promised == 0, !self.isEnded { self.becomeIdle() } }

    private func becomeIdle() {
        guard let timeout = self.pool.cluster.cluster.idleTimeout else { return }
        self.idleDeadline = Tick.after(timeout, now: self.worker.wheel.now)
        if self.timer < 0 { self.timer = self.worker.wheel.add(self) }
        self.worker.wheel.arm(self.timer, by: self.idleDeadline)
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.idleDeadline, self.streams.isEmpty else {
            return self.idleDeadline == Tick.never ? nil : self.idleDeadline
        }
        self.pool.cluster.counts.connectionsIdledOut += 1
        self.stopTaking()
        self.goAway(.none)
        self.closeAfterFlush()
        return nil
    }
}
