internal import NIOCore
internal import TrafficEngine

/// Frames out.
extension HTTP2Connection {
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
    func pump() {
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

    func handOver() {
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
