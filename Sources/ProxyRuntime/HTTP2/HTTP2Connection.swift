internal import NIOCore
internal import TrafficEngine

/// A connection of HTTP/2 (RFC 9113), either side: frames in and out, header compression, windows, settings.
///
/// What it writes is gathered and sent when the event that caused it is over. Subclasses know what streams are for.
class HTTP2Connection: ChannelDuplexHandler, Flushing {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Shorter data is copied behind its frame's head; a longer run is passed on as it is.
    static let copyBytesMax = 4096
    /// What waits to be written is handed to the socket's queue in runs of this size.
    static let runBytesMax = 64 * 1024
    /// Answers to a peer that does not read them.
    static let outboundBytesMax = 4 * 1024 * 1024
    /// How long a peer may take for the last bytes.
    static let closeTime = TimeAmount.seconds(5)
    /// More CONTINUATION frames than any head needs.
    static let continuationsMax = 32

    final let worker: Worker
    final let settings: HTTP2Settings
    final let headBytesMax: Int
    final private(set) var context: ChannelHandlerContext?
    final var streams: [UInt32: HTTP2Stream] = [:]
    final var encoder = HPACKEncoder()
    final var flood = FloodGuard()
    /// What the peer has announced.
    final var peerStreamsMax: UInt32?
    final var peerWindow = FlowWindow.initialSize
    final var peerFrameMax = FrameReader.lengthMax
    final var decoder = HPACKDecoder()
    final var reader = FrameReader()
    final var input = ByteBuffer()
    final var out = ByteBuffer()
    /// A header block that comes in parts.
    final var block = ByteBuffer()
    final var blockHead: FrameHead?
    final var continuations = 0
    final var sendWindow = FlowWindow()
    final var receiveWindow: ReceiveWindow
    /// Streams with data that found no window, in their turn.
    final var waiting = CircularBuffer<HTTP2Stream>()
    /// Ids of streams that we reset lately: what still comes for them is no fault.
    final var recentlyReset = CircularBuffer<UInt32>(initialCapacity: 8)
    final var sawSettings = false
    final var awaitsFlush = false
    final private(set) var isEnded = false
    /// Our GOAWAY with an error is out; nothing that comes counts.
    final var hasFailed = false

    init(worker: Worker, settings: HTTP2Settings, headBytesMax: Int) {
        self.worker = worker
        self.settings = settings
        self.headBytesMax = headBytesMax
        self.receiveWindow = ReceiveWindow(
            size: max(FlowWindow.initialSize, min(Int(settings.connectionWindow), FlowWindow.sizeMax))
        )
    }

    // MARK: For subclasses

    /// Bytes that must come before the first frame; `nil`: wait for more, `false`: not ours.
    func takePreface(_ input: inout ByteBuffer) -> Bool? { true }

    /// A header block is complete. `stream`: that of its id, if it is open.
    func headersReceived(_ id: UInt32, _ stream: HTTP2Stream?, _ block: UnsafeRawBufferPointer, endsStream: Bool) {}

    /// Whether a stream with this id has ever been opened.
    func wasOpened(_ id: UInt32) -> Bool { false }

    func settingsChanged() {}
    func goAwayReceived(last: UInt32, _ code: ErrorCode) {}
    func streamRemoved(_ stream: HTTP2Stream) {}
    func count(_ change: (inout HTTP2Counts) -> Void) {}
    func countReceived(_ bytes: Int) {}
    func countSent(_ bytes: Int) {}
    func connectionEnded() {}
    /// The peer decides how much work there is, and may not take it back again and again.
    var boundsResets: Bool { false }
    /// The peer resets more than it lets us answer.
    func tooManyResets() {}

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended()
        self.context = nil
    }

    func read(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.countReceived(bytes.readableBytes)
        guard !self.isEnded, !self.hasFailed else { return }
        self.input.receive(&bytes)
        self.process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.worker.flushWaiting()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        self.flushNow()
        self.pump()
        for stream in self.streams.values where !stream.hasPending { stream.owner?.streamWritable() }
        self.worker.flushWaiting()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
        self.worker.flushWaiting()
    }

    private func ended() {
        guard !self.isEnded else { return }
        self.isEnded = true
        let streams = self.streams.values.sorted { $0.id < $1.id }
        self.streams.removeAll()
        self.waiting.removeAll()
        self.input = ByteBuffer()
        self.out = ByteBuffer()
        for stream in streams {
            stream.isClosed = true
            let owner = stream.owner
            stream.owner = nil
            self.streamRemoved(stream)
            owner?.connectionLost(wasSeen: true)
        }
        self.connectionEnded()
        self.context = nil
    }

    // MARK: Streams

    final func open(_ id: UInt32, owner: any HTTP2StreamOwner) -> HTTP2Stream {
        let stream = HTTP2Stream(
            id: id,
            sendWindow: self.peerWindow,
            receiveWindow: min(Int(self.settings.streamWindow), FlowWindow.sizeMax)
        )
        stream.owner = owner
        self.streams[id] = stream
        return stream
    }

    final func receiveEnded(_ stream: HTTP2Stream) { stream.receiveEnded = true }

    /// What was received has found its way on.
    final func passedOn(_ stream: HTTP2Stream) {
        let held = stream.receiveWindow.held
        guard held > 0 else { return }
        let update = stream.receiveWindow.passedOn(held)
        if update > 0, !stream.receiveEnded, !stream.isClosed {
            FrameWriter.windowUpdate(stream.id, by: update, to: &self.out)
            self.flushLater()
        }
        self.credit(held)
    }

    func credit(_ count: Int) {
        let update = self.receiveWindow.passedOn(count)
        guard update > 0 else { return }
        FrameWriter.windowUpdate(0, by: update, to: &self.out)
        self.flushLater()
    }

    final func closeIfDone(_ stream: HTTP2Stream) {
        guard !stream.isClosed, stream.sendEnded else { return }
        if stream.receiveEnded {
            let owner = stream.owner
            stream.owner = nil
            self.remove(stream)
            owner?.streamClosed()
        } else if stream.resetsAfterEnd {
            self.reset(stream, .none)
        }
    }

    func remove(_ stream: HTTP2Stream) {
        guard !stream.isClosed else { return }
        stream.isClosed = true
        stream.pending.removeAll()
        stream.pendingTrailers = nil
        stream.endsAfterPending = false
        // What it held was never passed on, but it is gone from memory all the same.
        if stream.receiveWindow.held > 0 { self.credit(stream.receiveWindow.held) }
        self.streams[stream.id] = nil
        self.streamRemoved(stream)
    }

    /// Ends a stream at once; its owner is told that it is closed.
    final func reset(_ stream: HTTP2Stream, _ code: ErrorCode) {
        guard !stream.isClosed else { return }
        self.resetSent(stream.id, code)
        let owner = stream.owner
        stream.owner = nil
        self.remove(stream)
        owner?.streamClosed()
    }

    final func resetSent(_ id: UInt32, _ code: ErrorCode) {
        FrameWriter.reset(id, code, to: &self.out)
        self.count { $0.resetsSent += 1 }
        if self.recentlyReset.count >= 128 { self.recentlyReset.removeFirst() }
        self.recentlyReset.append(id)
        self.flushLater()
    }

    /// The peer broke the rules of one stream (section 5.4.2).
    final func streamFault(_ stream: HTTP2Stream, _ code: ErrorCode) {
        guard !stream.isClosed, self.mayCancel(stream) else { return }
        self.resetSent(stream.id, code)
        let owner = stream.owner
        stream.owner = nil
        self.remove(stream)
        owner?.streamReset(code, byPeer: false)
    }

    /// Resets a stream whose message broke the rules, and whose owner knows it.
    final func resetForFault(_ stream: HTTP2Stream) {
        guard !stream.isClosed, self.mayCancel(stream) else { return }
        self.reset(stream, .protocol)
    }

    /// The peer broke the rules of the connection (section 5.4.1).
    final func fail(_ code: ErrorCode) {
        guard !self.isEnded, !self.hasFailed else { return }
        self.goAway(code)
        self.hasFailed = true
        self.input = ByteBuffer()
        self.closeAfterFlush()
    }

    /// The last stream that we have begun to look at.
    var lastStream: UInt32 { 0 }

    final func goAway(_ code: ErrorCode) {
        self.count { $0.goAwaysSent += 1 }
        FrameWriter.goAway(last: self.lastStream, code, to: &self.out)
        self.flushLater()
    }

    final func close() { self.context?.close(promise: nil) }

    /// Sends what there is and closes; a peer that takes nothing more is not waited for.
    final func closeAfterFlush() {
        guard let context = self.context, !self.isEnded else { return }
        self.awaitsFlush = false
        self.handOver()
        context.flush()
        context.channel.closeAfterFlush(within: Self.closeTime)
    }
}
