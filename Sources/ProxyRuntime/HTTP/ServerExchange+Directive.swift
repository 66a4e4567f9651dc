internal import NIOCore
internal import TrafficEngine

/// Requests that the policy engine lets pass and changes: each goes on as if it had been received so.
extension ServerExchange {
    /// Applies what the verdict says of the request, and finds the route that it has then, which is all that decides
    /// where it goes. The engine is not asked again.
    func routeAgain(_ bytes: UnsafeRawBufferPointer, _ verdict: CheckVerdict) {
        let before = self.exchange.effects?.requestHeaders ?? HeaderEdits()
        let edits = before.then(verdict.requestHeaders)
        guard let changed = self.change(bytes, verdict.requestLine, edits) else {
            return self.replyDenied(MixerText.unusable, bytes)
        }
        // Which scripts may see the answer is for the new route to say.
        if self.exchange.crossOrigin != nil {
            self.exchange.crossOrigin = nil
            self.exchange.effects = self.exchange.unmarkedEffects
        }
        var effects = self.exchange.effects ?? PolicyEffects()
        effects.requestHeaders = edits
        self.exchange.effects = effects
        self.exchange.directive = Exchange.Directive(
            route: self.exchange.route,
            changesHost: verdict.requestLine.authority != nil,
            responseHeaders: verdict.responseHeaders
        )
        self.exchange.route = nil
        self.exchange.forward = nil
        let broughtID = self.scanner.fields.requestIDIndex >= 0
        self.scanner = changed.scanner
        if let authority = verdict.requestLine.authority { self.authority = authority }
        // The last one that was made here is another request's.
        if broughtID, self.scanner.fields.requestIDIndex < 0, self.manager.addsForwardingHeaders {
            self.makeRequestID()
        }
        self.machine.methodChanged(isIdempotent: self.scanner.kind.isIdempotent)
        changed.head.withUnsafeReadableBytes { self.route($0) }
    }

    /// Writes the request anew and reads it as one that has come; `nil`: it is none that can be served.
    ///
    /// The lines of `edits` are there to be seen by routes. They are marked as dropped, since `writeHead` writes them by
    /// itself: behind the proxy's own, which must not treat them as a client's.
    private func change(
        _ bytes: UnsafeRawBufferPointer,
        _ line: RequestLineEdits,
        _ edits: HeaderEdits
    ) -> (head: ByteBuffer, scanner: RequestScanner)? {
        let fields = self.scanner.fields
        let authority = line.authority ?? self.authority
        var dropped = IndexSet128()
        if fields.hostIndex >= 0 { dropped.insert(fields.hostIndex) }
        HeadWriter.markEdited(bytes, fields, edits, &dropped)
        let room =
            self.scanner.headCount + HeadWriter.count(edits) + authority.count + (line.method?.count ?? 0)
            + (line.target?.count ?? 0) + 64
        var editsStart = 0
        var head = ByteBuffer()
        head.write(bytesMax: room) { writer in
            if let method = line.method {
                writer.put(method)
            } else {
                writer.put(self.slice(bytes, self.scanner.method))
            }
            writer.put(Bytes.space)
            if let target = line.target {
                writer.put(target)
            } else {
                writer.put(self.slice(bytes, self.scanner.target))
            }
            // Only requests of HTTP/1.0 have no host.
            writer.put(authority.isEmpty ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
            if !authority.isEmpty {
                writer.put("host: ")
                writer.put(authority)
                writer.endLine()
            }
            HeadWriter.copyLines(
                bytes,
                fields,
                firstLine: self.scanner.startLineCount,
                headCount: self.scanner.headCount,
                dropped: dropped,
                to: &writer
            )
            editsStart = writer.count
            HeadWriter.putEdited(edits, to: &writer)
            writer.endLine()
        }
        var scanner = RequestScanner(headBytesMax: self.manager.headBytesMax)
        guard head.withUnsafeReadableBytes({ scanner.scan($0) }) == .complete, scanner.kind != .connect,
            // Whether the answer has a body was settled by the client.
            (scanner.kind == .head) == (self.scanner.kind == .head)
        else { return nil }
        for (index, field) in scanner.fields.fields.enumerated() where Int(field.name.start) >= editsStart {
            scanner.fields.dropped.insert(index)
        }
        if line.target != nil, self.policing.normalizesPath,
            let normalized = head.withUnsafeReadableBytes({ scanner.normalizeTarget($0) })
        {
            head = ByteBuffer(bytes: normalized)
        }
        return (head, scanner)
    }
}
