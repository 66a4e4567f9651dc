internal import NIOCore
internal import TrafficEngine

/// What becomes of received bytes: heads are read in place, bodies go on as they come.
extension ServerConnection {
    /// Takes what is there of a head; the exchange begins with a whole one.
    ///
    /// - Returns: `false` if nothing more can be taken now.
    func takeHead() -> Bool {
        let input = self.input
        // RFC 9112 2.2: one empty line before a request is forgiven, once.
        if self.exchange.skipsEmptyLine, input.getInteger(at: input.readerIndex, as: UInt8.self) == Bytes.carriageReturn
        {
            guard input.readableBytes > 1 else {
                self.awaitHead()
                return false
            }
            self.exchange.skipsEmptyLine = false
            if input.getInteger(at: input.readerIndex + 1, as: UInt8.self) == Bytes.lineFeed {
                self.input.moveReaderIndex(forwardBy: 2)
                return true
            }
        }
        let progress = input.withUnsafeReadableBytes { self.scanner.scan($0) }
        switch progress {
        case .needsMore:
            self.awaitHead()
            return false
        case .failed(let fault):
            self.refuse(fault)
            return false
        case .complete:
            self.input.moveReaderIndex(forwardBy: self.scanner.headCount)
            self.deadlines.head = Tick.never
            self.begin(input)
            return true
        }
    }

    /// A head has begun and is not complete.
    private func awaitHead() {
        guard self.deadlines.head == Tick.never, let timeout = self.manager.requestHeadTimeout else { return }
        self.deadlines.head = Tick.after(timeout, now: self.worker.wheel.now)
        self.armTimer()
    }

    /// A head is complete; `bytes` begin with it.
    private func begin(_ bytes: ByteBuffer) {
        let isChunked = self.scanner.fields.isChunked
        let length = self.scanner.fields.contentLength ?? 0
        let options = self.scanner.fields.connection
        let framing: BodyReader.Framing = isChunked ? .chunked : (length > 0 ? .length(length) : .none)
        self.requestBody = BodyReader(framing)
        let hasBody = isChunked || length > 0
        self.phase = hasBody ? .body : .waiting
        let keepsAlive =
            self.scanner.minorVersion > 0 ? !options.contains(.close) : options.contains(.keepAlive)
        bytes.withUnsafeReadableBytes { self.begin($0, framing: framing, hasBody: hasBody, keepsAlive: keepsAlive) }
    }

    /// Takes what is there of a body.
    ///
    /// - Returns: `false` if it was refused.
    func takeBody() -> Bool {
        let step = self.input.withUnsafeReadableBytes { self.requestBody.take($0) }
        if step.count > 0 || step.hasEnded {
            let isAll = step.count == self.input.readableBytes
            let slice = isAll ? self.input : self.input.getSlice(at: self.input.readerIndex, length: step.count)
            self.input.moveReaderIndex(forwardBy: step.count)
            if isAll { self.input = ByteBuffer() }
            if step.hasEnded, step.fault == nil, self.phase == .body { self.phase = .waiting }
            if let slice { self.bodyReceived(slice, isLast: step.hasEnded && step.fault == nil) }
            // The client has an answer already, and nothing more will be read.
            if self.phase == .closing || self.phase == .closed { return true }
        }
        if let fault = step.fault {
            self.refuse(fault)
            return false
        }
        return true
    }
}
