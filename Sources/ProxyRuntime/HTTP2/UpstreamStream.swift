internal import Logging
internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// A stream of HTTP/2 to an endpoint: takes one exchange's request there and its answer back.
final class UpstreamStream: UpstreamCarrier, HTTP2StreamOwner {
    private let connection: HTTP2ClientConnection
    private var stream: HTTP2Stream?
    private var server: ServerExchange?
    private var scanner = ResponseScanner()
    /// The final answer's head has come.
    private(set) var hasHead = false
    /// The connection had carried requests before.
    private var isReused = false
    /// Takes chunks off a body that an HTTP/1 client sends.
    private var chunks = BodyReader(.none)
    /// What `content-length` leaves to come; -1: it says nothing.
    private var remaining = -1

    init(connection: HTTP2ClientConnection) { self.connection = connection }

    private var worker: Worker { self.connection.worker }

    var localAddress: NetworkAddress? { self.connection.localAddress }

    // MARK: The request

    var isWritable: Bool {
        guard let stream = self.stream else { return true }
        return stream.pending.isEmpty && self.connection.isWritable
    }

    func begin(_ server: ServerExchange) {
        self.server = server
        self.hasHead = false
        self.remaining = -1
        self.isReused = self.connection.wasUsed
        let stream = self.connection.openStream(self)
        self.stream = stream
        let isComplete = server.requestIsComplete
        let form = server.exchange.bodyForm
        if form == .chunks { self.chunks = BodyReader(.chunked, keepsTrailers: true) }
        let head = server.exchange.head
        let headCount = server.exchange.headCount
        let hasBody = head.readableBytes > headCount || server.exchange.heldBody.readableBytes > 0
        let hasTrailers = server.exchange.trailers.readableBytes > 0
        let endsStream = isComplete && !hasBody && !hasTrailers
        let isSecure = self.connection.isSecure
        self.connection.sendHead(stream, endsStream: endsStream) { encoder, out in
            head.withUnsafeReadableBytes { bytes in
                let text = UnsafeRawBufferPointer(rebasing: bytes[..<headCount])
                HeadEncoder.request(text, isHTTPS: isSecure, &encoder, to: &out)
            }
        }
        guard !endsStream else { return }
        let body = server.exchange.heldBody
        if head.readableBytes > headCount,
            let first = head.getSlice(at: head.readerIndex + headCount, length: head.readableBytes - headCount)
        {
            self.write(first, isLast: isComplete && body.readableBytes == 0)
        }
        if body.readableBytes > 0 || (isComplete && hasTrailers) { self.write(body, isLast: isComplete) }
    }

    func write(_ buffer: ByteBuffer, isLast: Bool) {
        guard let stream = self.stream, let server = self.server else { return }
        if server.exchange.bodyForm == .chunks {
            self.writeUnwrapped(buffer, stream)
            return
        }
        let trailers = server.exchange.trailers
        let endsWithTrailers = isLast && trailers.readableBytes > 0
        if buffer.readableBytes > 0 || !endsWithTrailers {
            self.connection.send(stream, buffer, isLast: isLast && !endsWithTrailers)
        }
        if endsWithTrailers { self.connection.sendTrailers(stream, trailers) }
    }

    /// The chunks were checked when they came; here their payload is taken out.
    private func writeUnwrapped(_ buffer: ByteBuffer, _ stream: HTTP2Stream) {
        guard !stream.sendEnded else { return }
        var out = ByteBufferAllocator().buffer(capacity: buffer.readableBytes)
        let step = buffer.withUnsafeReadableBytes { bytes in
            self.chunks.takePayload(bytes) { _ = out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
        }
        let trailers = step.hasEnded ? self.chunks.trailers : []
        if out.readableBytes > 0 || (step.hasEnded && trailers.isEmpty) {
            self.connection.send(stream, out, isLast: step.hasEnded && trailers.isEmpty)
        }
        if !trailers.isEmpty { self.connection.sendTrailers(stream, ByteBuffer(bytes: trailers)) }
    }

    func flush() { self.connection.flushLater() }

    func endOutput() {}

    func streamWritable() { self.server?.resumeReading() }

    /// The exchange is given up.
    func abandon() {
        self.server = nil
        if let stream = self.stream { self.connection.reset(stream, .cancel) }
    }

    // MARK: The answer

    /// More of the answer can go to the client.
    var takesMore: Bool { self.server?.isWritable ?? true }

    func resumeReading() { if let stream = self.stream, self.takesMore { self.connection.passedOn(stream) } }

    /// The loop's assembler holds a head.
    func headReceived(endsStream: Bool) {
        guard let server = self.server, let stream = self.stream else { return }
        let assembler = self.worker.assembler
        assembler.fill(&self.scanner)
        let text = assembler.text
        let status = self.scanner.status
        if status < 200 {
            guard !endsStream else { return self.connection.streamFault(stream, .protocol) }
            server.interimReceived(self.scanner, text)
            server.flushLater()
            return
        }
        self.hasHead = true
        let isBare = server.requestIsHead || status == 204 || status == 304
        let length = self.scanner.fields.contentLength
        self.remaining = isBare ? 0 : (length ?? -1)
        guard !endsStream || self.remaining <= 0 else { return self.connection.streamFault(stream, .protocol) }
        let framing: BodyReader.Framing
        if isBare || endsStream {
            framing = .none
        } else {
            framing = length.map { .length($0) } ?? .chunked
        }
        var out = self.worker.takeScratch()
        defer { self.worker.returnScratch(out) }
        switch server.responseHeadReceived(self.scanner, text, framing, isHTTP2: true, into: &out) {
        case .retrying:
            self.server = nil
            // Also when the answer has ended: a request that goes on would hold its place for ever.
            if !endsStream || !stream.sendEnded { self.connection.reset(stream, .cancel) }
            return
        case .forward: ()
        }
        if out.readableBytes > 0 { server.write(out, isLast: endsStream) }
        server.responseProgressed()
        if endsStream { self.finish() } else { server.flushLater() }
    }

    func streamReceived(_ data: ByteBuffer, isLast: Bool) {
        guard let server = self.server else { return }
        guard self.hasHead else { return self.fault() }
        if self.remaining >= 0 {
            self.remaining -= data.readableBytes
            if self.remaining < 0 || (isLast && self.remaining > 0) { return self.fault() }
        }
        server.exchange.bytesSent += data.readableBytes
        if data.readableBytes > 0 || isLast { server.write(data, isLast: isLast) }
        server.responseProgressed()
        if isLast { self.finish() } else { server.flushLater() }
    }

    func streamReceivedTrailers(_ lines: UnsafeRawBufferPointer) {
        guard let server = self.server else { return }
        if self.remaining > 0 { return self.fault() }
        if lines.isEmpty {
            server.write(ByteBuffer(), isLast: true)
        } else {
            server.passTrailers(lines)
        }
        self.finish()
    }

    /// The answer breaks the rules of messages.
    private func fault() {
        if let stream = self.stream { self.connection.streamFault(stream, .protocol) }
    }

    /// The answer is complete.
    private func finish() {
        guard let server = self.server else { return }
        self.server = nil
        if let stream = self.stream, !stream.sendEnded {
            // An answer to half a request: the other half is not wanted. Its end must not be told to us, or this
            // object would be taken for spare twice, and two requests would share it.
            self.stream = nil
            stream.owner = nil
            self.connection.reset(stream, .none)
        }
        server.responseEnded()
        if self.stream == nil { self.connection.recycle(self) }
    }

    // MARK: Ends

    func streamClosed() {
        self.stream = nil
        if self.server == nil { self.connection.recycle(self) }
    }

    func streamReset(_ code: ErrorCode, byPeer: Bool) {
        self.stream = nil
        guard let server = self.server else { return self.connection.recycle(self) }
        self.server = nil
        let counts = self.connection.pool.cluster
        if !byPeer {
            counts.counts.protocolErrors += 1
            self.connection.recycle(self)
            server.attemptFailed(.init(reason: .upstreamProtocolError, outcome: nil))
            return
        }
        counts.counts.resets += 1
        self.connection.recycle(self)
        if code == .refusedStream {
            // Section 8.7: nothing was done with it.
            server.attemptFailed(.init(reason: .upstreamReset, outcome: .refusedStream, wasUnprocessed: true))
        } else {
            server.attemptFailed(.init(reason: .upstreamReset, outcome: .reset(requestStarted: true)))
        }
    }

    func connectionLost(wasSeen: Bool) {
        self.stream = nil
        guard let server = self.server else { return }
        self.server = nil
        self.connection.pool.cluster.counts.resets += 1
        server.attemptFailed(
            .init(
                reason: .upstreamClosed,
                outcome: .reset(requestStarted: wasSeen),
                wasReuseRace: self.isReused && !self.hasHead,
                wasUnprocessed: !wasSeen
            )
        )
    }
}
