internal import NIOCore
internal import TrafficEngine

/// A client's stream of HTTP/2: one exchange.
final class ServerStream: ServerExchange, HTTP2StreamOwner {
    private let connection: HTTP2ServerConnection
    private var stream: HTTP2Stream?
    /// What `content-length` leaves to come; -1: it says nothing.
    private var remaining = -1

    init(connection: HTTP2ServerConnection) {
        self.connection = connection
        super.init(worker: connection.worker, manager: connection.manager, facts: connection.facts)
        self.timer = self.worker.wheel.add(self)
    }

    override var isEnded: Bool { self.stream == nil }
    override var isHTTP2: Bool { true }
    override var wantsPlainBody: Bool { true }
    override func entranceHasGone() { self.connection.entranceHasGone() }

    override var isWritable: Bool {
        guard let stream = self.stream else { return true }
        return stream.pending.isEmpty && self.connection.isWritable
    }

    /// Takes the head that the loop's assembler holds.
    func begin(_ stream: HTTP2Stream, endsStream: Bool) {
        self.stream = stream
        let assembler = self.worker.assembler
        self.deadlines = Deadlines()
        switch assembler.fault {
        case .malformed:
            self.startUnread()
            self.exchange.reason = .downstreamProtocolError
            self.counters.counts.protocolErrors += 1
            self.finishExchange()
            self.connection.resetForFault(stream)
            return
        case .tooLarge:
            stream.receiveEnded = endsStream
            self.refuse(.tooLarge)
            return
        case nil: ()
        }
        assembler.fill(&self.scanner)
        self.remaining = self.scanner.fields.contentLength ?? -1
        if endsStream {
            stream.receiveEnded = true
            guard self.remaining <= 0 else { return self.messageFault() }
        }
        let framing: BodyReader.Framing
        if endsStream {
            framing = .none
        } else if self.remaining >= 0 {
            framing = .length(self.remaining)
        } else {
            framing = .untilClose
        }
        self.begin(assembler.text, framing: framing, hasBody: !endsStream, keepsAlive: true)
    }

    /// The head and the body do not belong together (RFC 9113 section 8.1.1).
    private func messageFault() {
        self.counters.counts.protocolErrors += 1
        self.worker.http2.malformedMessages += 1
        if !self.exchange.isActive { self.startUnread() }
        self.exchange.reason = .downstreamProtocolError
        self.detach()
        self.finishExchange()
        if let stream = self.stream { self.connection.resetForFault(stream) }
    }

    // MARK: What the client sends

    /// What was received can be let go of.
    var takesMore: Bool {
        guard self.exchange.isActive, self.machine.response != .complete else { return true }
        return self.upstream?.isWritable ?? self.policiesWantBody
    }

    func streamReceived(_ data: ByteBuffer, isLast: Bool) {
        guard self.exchange.isActive else { return }
        if self.remaining >= 0 {
            self.remaining -= data.readableBytes
            if self.remaining < 0 || (isLast && self.remaining > 0) { return self.messageFault() }
        }
        self.bodyReceived(data, isLast: isLast)
        self.upstream?.flush()
    }

    func streamReceivedTrailers(_ lines: UnsafeRawBufferPointer) {
        guard self.exchange.isActive else { return }
        if self.remaining > 0 { return self.messageFault() }
        self.trailersReceived(ByteBuffer(bytes: lines))
        self.upstream?.flush()
    }

    override func resumeReading() {
        if let stream = self.stream, self.takesMore { self.connection.passedOn(stream) }
    }

    func streamWritable() {
        self.touch()
        self.upstream?.resumeReading()
    }

    func streamReset(_ code: ErrorCode, byPeer: Bool) {
        self.stream = nil
        self.clientGone(byPeer ? .downstreamReset : .downstreamProtocolError)
        self.becomeSpare()
    }

    func connectionLost(wasSeen: Bool) {
        self.stream = nil
        self.clientGone(.downstreamClosed)
        self.becomeSpare()
    }

    func streamClosed() {
        self.stream = nil
        if !self.exchange.isActive { self.becomeSpare() }
    }

    // MARK: What the client gets

    override func putResponseHead(
        _ framing: BodyReader.Framing,
        room: Int,
        into out: inout ByteBuffer,
        _ body: (inout ByteWriter) -> Void
    ) {
        guard let stream = self.stream else { return }
        var text = self.worker.takeScratch()
        text.write(bytesMax: room + 2) { writer in
            body(&writer)
            writer.endLine()
        }
        let status = self.exchange.status
        self.connection.sendHead(stream, endsStream: framing == .none || framing == .length(0)) { encoder, out in
            text.withUnsafeReadableBytes { HeadEncoder.response($0, status: status, &encoder, to: &out) }
        }
        self.worker.returnScratch(text)
        // Only what follows is a body.
        self.exchange.headBytesWritten = 1
        self.exchange.bytesWritten = 1
    }

    override func writeInterim(_ head: ByteBuffer) {
        guard let stream = self.stream, let status = head.viewBytes(at: head.readerIndex + 9, length: 3) else { return }
        let number = status.reduce(0) { $0 * 10 + Int($1) - 48 }
        self.connection.sendHead(stream, endsStream: false) { encoder, out in
            head.withUnsafeReadableBytes { HeadEncoder.response($0, status: number, &encoder, to: &out) }
        }
    }

    override func write(_ buffer: ByteBuffer, isLast: Bool) {
        guard let stream = self.stream else { return }
        self.exchange.bytesWritten += buffer.readableBytes
        self.connection.send(stream, buffer, isLast: isLast)
    }

    override func writeTrailers(_ lines: ByteBuffer) {
        if let stream = self.stream { self.connection.sendTrailers(stream, lines) }
    }

    override func flush() { self.connection.flushLater() }
    override func flushLater() { self.connection.flushLater() }

    // MARK: Ends

    override func answerEnded(_ next: ExchangeMachine.OnResponseEnded) {
        guard let stream = self.stream else { return self.becomeSpare() }
        if stream.receiveWindow.held > 0 { self.connection.passedOn(stream) }
        stream.resetsAfterEnd = true
        if !stream.sendEnded, !stream.hasPending {
            self.connection.send(stream, ByteBuffer(), isLast: true)
        } else {
            self.connection.closeIfDone(stream)
        }
        guard self.stream != nil else { return }
        // The client has not taken all of it; it may not take for ever.
        self.deadlines = Deadlines()
        self.touch()
        self.armTimer()
    }

    override func cutOff(_ reason: EndReason) {
        if let stream = self.stream { self.connection.reset(stream, .internal) }
    }

    override func timerFired(tick: Int) -> Int? {
        if !self.exchange.isActive, let stream = self.stream {
            if tick >= self.deadlines.idle {
                self.deadlines = Deadlines()
                self.connection.reset(stream, .cancel)
                return nil
            }
        }
        return super.timerFired(tick: tick)
    }

    /// The stream is gone and the exchange is over.
    private func becomeSpare() {
        self.deadlines = Deadlines()
        self.connection.recycle(self)
    }

    /// The object itself is not needed any more.
    func retire() {
        if self.timer >= 0 { self.worker.wheel.remove(self.timer) }
        self.timer = -1
    }
}
