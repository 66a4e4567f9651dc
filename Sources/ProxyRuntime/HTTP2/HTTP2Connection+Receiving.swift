internal import NIOCore
internal import TrafficEngine

/// Frames in.
extension HTTP2Connection {
    func process() {
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

    func received(_ head: FrameHead, _ payload: Range<Int>, _ input: ByteBuffer) {
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
    func mayCancel(_ stream: HTTP2Stream) -> Bool {
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
}
