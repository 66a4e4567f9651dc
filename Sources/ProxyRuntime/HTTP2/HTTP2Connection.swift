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
    final private(set) var peerStreamsMax: UInt32?
    final private var peerWindow = FlowWindow.initialSize
    final private var peerFrameMax = FrameReader.lengthMax
    final private var decoder = HPACKDecoder()
    final private var reader = FrameReader()
    final private var input = ByteBuffer()
    final private var out = ByteBuffer()
    /// A header block that comes in parts.
    final private var block = ByteBuffer()
    final private var blockHead: FrameHead?
    final private var continuations = 0
    final private var sendWindow = FlowWindow()
    final private var receiveWindow: ReceiveWindow
    /// Streams with data that found no window, in their turn.
    final private var waiting = CircularBuffer<HTTP2Stream>()
    /// Ids of streams that we reset lately: what still comes for them is no fault.
    final private var recentlyReset = CircularBuffer<UInt32>(initialCapacity: 8)
    final private var sawSettings = false
    final private var awaitsFlush = false
    final private(set) var isEnded = false
    /// Our GOAWAY with an error is out; nothing that comes counts.
    final private var hasFailed = false

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

    // MARK: Frames in

    private func process() {
        if !self.sawSettings {
            switch self.takePreface(&self.input) {
            case true: ()
            case nil: return
            case false:
                self.fail(.protocol)
                return
            }
        }
        while !self.isEnded, !self.hasFailed {
            let input = self.input
            switch input.withUnsafeReadableBytes({ self.reader.next($0) }) {
            case .needsMore:
                if input.readableBytes == 0 { self.input = ByteBuffer() }
                return
            case .failed(let code):
                self.fail(code)
                return
            case .frame(let head, let payload, let count):
                self.input.moveReaderIndex(forwardBy: count)
                self.received(head, payload, input)
            }
        }
    }

    private func received(_ head: FrameHead, _ payload: Range<Int>, _ input: ByteBuffer) {
        guard self.sawSettings || head.kind == .settings else {
            self.fail(.protocol)
            return
        }
        switch head.kind {
        case .data: self.dataReceived(head, payload, input)
        case .headers:
            if head.flags.contains(.endHeaders) {
                self.blockComplete(head, input, payload)
            } else {
                self.block = input.getSlice(at: input.readerIndex + payload.lowerBound, length: payload.count) ?? input
                self.blockHead = head
                self.continuations = 0
            }
        case .continuation: self.continuationReceived(head, payload, input)
        case .priority:
            if !self.flood.allows(.priority, at: self.worker.wheel.now) {
                self.count { $0.priorityFloods += 1 }
                self.fail(.enhanceYourCalm)
            }
        case .reset: self.resetReceived(head, self.integer(payload, input))
        case .settings:
            if !head.flags.contains(.acknowledges) { self.settingsReceived(payload, input) }
        case .ping:
            guard !head.flags.contains(.acknowledges), self.mayAnswer() else { return }
            let content = input.getInteger(at: input.readerIndex + payload.lowerBound, as: UInt64.self) ?? 0
            FrameWriter.ping(content, isAnswer: true, to: &self.out)
            self.flushLater()
        case .goAway:
            self.count { $0.goAwaysReceived += 1 }
            let code = input.getInteger(at: input.readerIndex + payload.lowerBound + 4, as: UInt32.self) ?? 0
            self.goAwayReceived(last: self.integer(payload, input) & FrameHead.streamMax, ErrorCode(number: code))
        case .windowUpdate: self.windowUpdated(head, Int(self.integer(payload, input) & FrameHead.streamMax))
        case .pushPromise: self.fail(.protocol)
        case nil: if !self.flood.allows(.unknown, at: self.worker.wheel.now) { self.fail(.enhanceYourCalm) }
        }
    }

    private func integer(_ payload: Range<Int>, _ input: ByteBuffer) -> UInt32 {
        input.getInteger(at: input.readerIndex + payload.lowerBound, as: UInt32.self) ?? 0
    }

    /// Whether one more frame that asks for an answer gets it.
    private func mayAnswer() -> Bool {
        if self.flood.allows(.control, at: self.worker.wheel.now) { return true }
        self.count { $0.controlFloods += 1 }
        self.fail(.enhanceYourCalm)
        return false
    }

    private func continuationReceived(_ head: FrameHead, _ payload: Range<Int>, _ input: ByteBuffer) {
        guard let first = self.blockHead else { return self.fail(.protocol) }
        self.continuations += 1
        guard self.continuations <= Self.continuationsMax,
            self.block.readableBytes + payload.count <= self.headBytesMax + FrameReader.lengthMax
        else {
            self.count { $0.tooManyContinuations += 1 }
            self.fail(.enhanceYourCalm)
            return
        }
        if var part = input.getSlice(at: input.readerIndex + payload.lowerBound, length: payload.count) {
            self.block.writeBuffer(&part)
        }
        guard head.flags.contains(.endHeaders) else { return }
        let block = self.block
        self.block = ByteBuffer()
        self.blockHead = nil
        self.blockComplete(first, block, 0..<block.readableBytes)
    }

    private func blockComplete(_ head: FrameHead, _ buffer: ByteBuffer, _ range: Range<Int>) {
        let endsStream = head.flags.contains(.endStream)
        let stream = self.streams[head.stream]
        buffer.withUnsafeReadableBytes { bytes in
            let block = UnsafeRawBufferPointer(rebasing: bytes[range])
            guard let stream, stream.receiveEnded else {
                self.headersReceived(head.stream, stream, block, endsStream: endsStream)
                return
            }
            // Section 5.1: half-closed streams take no more.
            self.skip(block)
            self.streamFault(stream, .streamClosed)
        }
    }

    /// Takes a header block apart that nobody will look at: the table must stay in step with the peer's.
    final func skip(_ block: UnsafeRawBufferPointer) {
        if let code = self.decoder.decode(block, { _, _ in }) { self.fail(code) }
    }

    /// Takes a header block apart into the loop's assembler; `false`: the connection has failed.
    final func assemble(_ block: UnsafeRawBufferPointer, _ purpose: HeadAssembler.Purpose) -> Bool {
        let assembler = self.worker.assembler
        assembler.begin(purpose, bytesMax: self.headBytesMax)
        if let code = self.decoder.decode(block, { assembler.add($0, $1) }) {
            self.fail(code)
            return false
        }
        assembler.finish()
        switch assembler.fault {
        case .malformed: self.count { $0.malformedMessages += 1 }
        case .tooLarge: self.count { $0.headsTooLarge += 1 }
        case nil: ()
        }
        return true
    }

    /// Headers for a stream that is gone are forgiven for a while after we reset it (section 5.1). We may have reset
    /// more than we remember: what may be an answer to that is forgiven as DATA is.
    final func headersForClosed(_ id: UInt32, _ block: UnsafeRawBufferPointer, mayBeAnswer: Bool = false) {
        if self.recentlyReset.contains(id)
            || (mayBeAnswer && self.flood.allows(.unknown, at: self.worker.wheel.now))
        {
            self.skip(block)
        } else {
            self.fail(.streamClosed)
        }
    }

    /// A trailing header block has come for `stream`.
    final func trailersReceived(_ stream: HTTP2Stream, _ block: UnsafeRawBufferPointer, endsStream: Bool) {
        guard self.assemble(block, .trailers) else { return }
        guard endsStream, self.worker.assembler.fault == nil else {
            self.streamFault(stream, .protocol)
            return
        }
        self.count { $0.trailers += 1 }
        self.receiveEnded(stream)
        stream.owner?.streamReceivedTrailers(self.worker.assembler.text)
        self.closeIfDone(stream)
    }

    private func dataReceived(_ head: FrameHead, _ payload: Range<Int>, _ input: ByteBuffer) {
        guard self.receiveWindow.received(head.length) else { return self.fail(.flowControl) }
        guard let stream = self.streams[head.stream] else {
            guard self.wasOpened(head.stream) else { return self.fail(.protocol) }
            self.credit(head.length)
            // What was on its way when we reset it is no fault; a peer that goes on and on is.
            if !self.recentlyReset.contains(head.stream), !self.flood.allows(.unknown, at: self.worker.wheel.now) {
                self.fail(.streamClosed)
            }
            return
        }
        guard stream.receiveWindow.received(head.length) else {
            self.credit(head.length)
            return self.streamFault(stream, .flowControl)
        }
        guard !stream.receiveEnded else { return self.streamFault(stream, .streamClosed) }
        let isLast = head.flags.contains(.endStream)
        if payload.isEmpty, !isLast {
            guard self.flood.allows(.emptyFrame, at: self.worker.wheel.now) else {
                self.count { $0.emptyFrameFloods += 1 }
                return self.fail(.enhanceYourCalm)
            }
        } else {
            self.flood.earned(.windowUpdate)
        }
        if isLast { self.receiveEnded(stream) }
        let data = input.getSlice(at: input.readerIndex + payload.lowerBound, length: payload.count) ?? ByteBuffer()
        stream.owner?.streamReceived(data, isLast: isLast)
        if stream.isClosed { return }
        if stream.owner?.takesMore ?? true { self.passedOn(stream) }
        self.closeIfDone(stream)
    }

    private func resetReceived(_ head: FrameHead, _ code: UInt32) {
        guard let stream = self.streams[head.stream] else {
            if !self.wasOpened(head.stream) { self.fail(.protocol) }
            return
        }
        self.count { $0.resetsReceived += 1 }
        guard self.mayCancel(stream) else { return }
        let owner = stream.owner
        stream.owner = nil
        self.remove(stream)
        owner?.streamReset(ErrorCode(number: code), byPeer: true)
    }

    /// Whether the peer may make one more stream end; `false`: the connection has failed.
    ///
    /// A stream that was not answered yet has cost us work for nothing, whether the peer resets it or makes us do so
    /// by a fault (CVE-2023-44487, CVE-2025-8671).
    private func mayCancel(_ stream: HTTP2Stream) -> Bool {
        guard self.boundsResets, !stream.sendEnded, !self.flood.allows(.freshReset, at: self.worker.wheel.now) else {
            return true
        }
        self.tooManyResets()
        self.fail(.enhanceYourCalm)
        return false
    }

    private func windowUpdated(_ head: FrameHead, _ count: Int) {
        guard self.flood.allows(.windowUpdate, at: self.worker.wheel.now) else {
            self.count { $0.windowUpdateFloods += 1 }
            return self.fail(.enhanceYourCalm)
        }
        if head.stream == 0 {
            guard count > 0 else { return self.fail(.protocol) }
            guard self.sendWindow.add(count) else { return self.fail(.flowControl) }
            self.pump()
            return
        }
        guard let stream = self.streams[head.stream] else {
            if !self.wasOpened(head.stream) { self.fail(.protocol) }
            return
        }
        guard count > 0 else { return self.streamFault(stream, .protocol) }
        guard stream.sendWindow.add(count) else { return self.streamFault(stream, .flowControl) }
        if stream.hasPending { self.pump() }
    }

    private func settingsReceived(_ payload: Range<Int>, _ input: ByteBuffer) {
        guard self.mayAnswer() else { return }
        self.sawSettings = true
        for offset in stride(from: payload.lowerBound, to: payload.upperBound, by: 6) {
            let place = input.readerIndex + offset
            guard let number = input.getInteger(at: place, as: UInt16.self),
                let value = input.getInteger(at: place + 2, as: UInt32.self)
            else { return }
            if let code = self.apply(FrameWriter.Setting(rawValue: number), value) { return self.fail(code) }
        }
        FrameWriter.settingsAcknowledged(to: &self.out)
        self.flushLater()
        self.settingsChanged()
        self.pump()
    }

    /// Section 6.5.2.
    private func apply(_ setting: FrameWriter.Setting?, _ value: UInt32) -> ErrorCode? {
        switch setting {
        case .headerTableSize: self.encoder.peerLimit(Int(value))
        case .enablePush: if value > 1 { return .protocol }
        case .concurrentStreamsMax: self.peerStreamsMax = value
        case .initialWindow:
            guard value <= UInt32(FlowWindow.sizeMax) else { return .flowControl }
            let change = Int(value) - self.peerWindow
            self.peerWindow = Int(value)
            for stream in self.streams.values where !stream.sendWindow.add(change) { return .flowControl }
        case .frameSizeMax:
            guard (16_384...16_777_215).contains(value) else { return .protocol }
            // Larger ones only make others wait longer.
            self.peerFrameMax = min(Int(value), 65_536)
        case .enableConnect: if value > 1 { return .protocol }
        case .headListBytesMax, nil: ()
        }
        return nil
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

    private func credit(_ count: Int) {
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

    private func remove(_ stream: HTTP2Stream) {
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

    // MARK: Frames out

    /// The first frames of our side.
    final func begin(isClient: Bool, _ settings: [(FrameWriter.Setting, UInt32)]) {
        if isClient { self.out.writeStaticString(FrameWriter.preface) }
        FrameWriter.settings(settings, to: &self.out)
        let wanted = max(FlowWindow.initialSize, min(Int(self.settings.connectionWindow), FlowWindow.sizeMax))
        if wanted > FlowWindow.initialSize {
            FrameWriter.windowUpdate(0, by: wanted - FlowWindow.initialSize, to: &self.out)
        }
        self.flushLater()
    }

    /// More data can be sent on some stream now.
    final var isWritable: Bool { self.context?.channel.isWritable ?? false }

    final func sendHead(
        _ stream: HTTP2Stream,
        endsStream: Bool,
        _ block: (inout HPACKEncoder, inout ByteBuffer) -> Void
    ) {
        guard !stream.isClosed, !stream.sendEnded else { return }
        FrameWriter.headers(
            stream: stream.id,
            endsStream: endsStream,
            lengthMax: FrameReader.lengthMax,
            to: &self.out
        ) { block(&self.encoder, &$0) }
        self.wrote()
        if endsStream {
            stream.sendEnded = true
            self.closeIfDone(stream)
        }
    }

    final func sendTrailers(_ stream: HTTP2Stream, _ lines: ByteBuffer) {
        guard !stream.isClosed, !stream.sendEnded else { return }
        guard stream.pending.isEmpty else {
            stream.pendingTrailers = lines
            return
        }
        self.sendHead(stream, endsStream: true) { encoder, out in
            lines.withUnsafeReadableBytes { HeadEncoder.trailers($0, &encoder, to: &out) }
        }
    }

    /// Sends data as far as windows reach, and keeps the rest.
    final func send(_ stream: HTTP2Stream, _ data: ByteBuffer, isLast: Bool) {
        guard !stream.isClosed, !stream.sendEnded else { return }
        var data = data
        if stream.pending.isEmpty { self.sendNow(stream, &data, isLast: isLast) }
        guard !stream.isClosed, !stream.sendEnded else { return }
        if data.readableBytes > 0 {
            stream.pending.append(data)
            stream.endsAfterPending = isLast
            if !stream.isListed {
                stream.isListed = true
                self.waiting.append(stream)
            }
        } else if isLast, !stream.pending.isEmpty {
            stream.endsAfterPending = true
        }
    }

    private func sendNow(_ stream: HTTP2Stream, _ data: inout ByteBuffer, isLast: Bool) {
        repeat {
            var count = data.readableBytes
            if count > 0 {
                guard self.isWritable else { return }
                count = min(count, self.peerFrameMax, self.sendWindow.size, stream.sendWindow.size)
                guard count > 0, self.sendWindow.take(count), stream.sendWindow.take(count) else { return }
                self.flood.earned(.windowUpdate, 10)
            } else if !isLast {
                return
            }
            let ends = isLast && count == data.readableBytes
            FrameWriter.head(.data, ends ? .endStream : [], stream: stream.id, length: count, to: &self.out)
            if count > 0, var part = data.readSlice(length: count) {
                if count <= Self.copyBytesMax {
                    self.out.writeBuffer(&part)
                } else {
                    self.handOver()
                    self.countSent(count)
                    self.context?.write(self.wrapOutboundOut(part), promise: nil)
                }
            }
            self.wrote()
            if ends {
                stream.sendEnded = true
                self.closeIfDone(stream)
                return
            }
        } while data.readableBytes > 0
    }

    /// Windows have opened: each stream that waits gets its turn.
    private func pump() {
        var turns = self.waiting.count
        while turns > 0, self.sendWindow.size > 0, self.isWritable, let stream = self.waiting.popFirst() {
            turns -= 1
            self.sendPending(stream)
            if stream.isClosed || stream.pending.isEmpty {
                stream.isListed = false
                if !stream.isClosed, !stream.hasPending { stream.owner?.streamWritable() }
            } else {
                self.waiting.append(stream)
            }
        }
    }

    private func sendPending(_ stream: HTTP2Stream) {
        while !stream.isClosed, var data = stream.pending.popFirst() {
            let isLast = stream.pending.isEmpty && stream.endsAfterPending
            if isLast { stream.endsAfterPending = false }
            self.sendNow(stream, &data, isLast: isLast)
            if data.readableBytes > 0, !stream.isClosed {
                stream.pending.prepend(data)
                if isLast { stream.endsAfterPending = true }
                return
            }
        }
        if !stream.isClosed, let trailers = stream.pendingTrailers {
            stream.pendingTrailers = nil
            self.sendTrailers(stream, trailers)
        }
    }

    /// Something is in `out`.
    private func wrote() {
        if self.out.readableBytes >= Self.runBytesMax, self.isWritable { self.handOver() }
        self.flushLater()
    }

    private func handOver() {
        guard self.out.readableBytes > 0 else { return }
        self.countSent(self.out.readableBytes)
        self.context?.write(self.wrapOutboundOut(self.out), promise: nil)
        self.out.clear()
    }

    final func flushLater() {
        guard !self.awaitsFlush else { return }
        self.awaitsFlush = true
        self.worker.flushLater(self)
    }

    final func flushNow() {
        self.awaitsFlush = false
        guard !self.isEnded, let context = self.context else { return }
        // Heads and answers to frames that ask for one are not subject to windows: while the socket takes nothing they
        // stay here, where they are counted, and a peer that reads none of them does not fill us up.
        if context.channel.isWritable {
            self.handOver()
        } else if self.out.readableBytes > Self.outboundBytesMax {
            self.count { $0.outboundFloods += 1 }
            context.close(promise: nil)
            return
        }
        context.flush()
    }
}
