internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Answers that the proxy gives by itself.
extension ServerExchange {
    /// The request cannot be understood: nothing behind it can be, either.
    func refuse(_ fault: HeadFault) {
        switch fault {
        case .tooLarge, .tooManyFields:
            self.counters.counts.headsTooLarge += 1
            self.refuse(status: fault.status, .headTooLarge, "\(fault.text)\n")
        case .badStartLine, .badMethod, .badTarget, .badVersion, .versionUnsupported, .badStatus, .leadingWhitespace,
            .folded, .emptyName, .badNameByte, .spaceBeforeColon, .missingColon, .badValueByte, .bareCR, .bareLF,
            .badLength, .repeatedLength, .lengthAndEncoding, .unknownEncoding, .repeatedEncoding,
            .encodingInOldVersion, .missingHost, .repeatedHost, .badHost, .badChunkSize, .badChunkExtension,
            .badChunkEnd, .badTrailer:
            self.counters.counts.protocolErrors += 1
            self.refuse(status: fault.status, .downstreamProtocolError, "bad request: \(fault.text)\n")
        }
    }

    func refuse(status: Int, _ reason: EndReason, _ text: String) {
        if !self.exchange.isActive {
            self.startUnread()
        }
        self.machine.keepAliveLost()
        self.detach()
        if self.machine.response == .none {
            self.reply(status: status, reason, Array(text.utf8), edits: nil)
        } else {
            // The client has part of an answer: all that is left is to cut it off.
            self.exchange.reason = reason
            self.finishExchange()
            self.cutOff(reason)
        }
    }

    /// The route forwards, but no endpoint gave an answer.
    func replyToFailure(_ reason: EndReason) {
        let text: StaticString
        let status: Int
        switch reason {
        case .noHealthyEndpoint: (status, text) = (503, "no healthy endpoint for ")
        case .connectFailed: (status, text) = (503, "no connection could be made to an endpoint of ")
        case .connectTimedOut: (status, text) = (503, "an endpoint did not accept a connection in time for ")
        case .upstreamReset: (status, text) = (503, "an endpoint reset the connection before it answered for ")
        case .upstreamClosed: (status, text) = (503, "an endpoint closed the connection before it answered for ")
        case .upstreamProtocolError: (status, text) = (502, "an endpoint gave an invalid answer for ")
        case .upstreamNameUnresolved: (status, text) = (503, "no address was found for ")
        case .requestTimedOut: (status, text) = (504, "no answer came in time for ")
        case .streamIdle: (status, text) = (504, "nothing was sent or received for too long for ")
        case .upstreamTLSFailed: (status, text) = (503, "TLS with an endpoint did not come about for ")
        case .noSecret: (status, text) = (503, "a certificate that TLS needs has not been received, for ")
        case .overflow: (status, text) = (503, "too many connections or requests are under way for ")
        case .misdirected: (status, text) = (421, "this connection was not made for the host ")
        case .blockedUnresolvedAddress, .blockedUnresolvedName, .noRoute, .noCluster, .completed, .answeredByRoute,
            .blockedHost, .blockedAddress, .retriesExhausted,
            .downstreamClosed, .downstreamReset, .downstreamProtocolError, .headTooLarge, .headTimedOut, .idleTimedOut,
            .loopDetected, .shutdown, .deniedByPolicy, .deniedByToken, .deniedByProvider, .providerFailed,
            .deniedByMixer, .mixerFailed, .downstreamTLSFailed, .bodyTooLarge:
            (status, text) = (503, "the request could not be served for ")
        }
        self.replyNamingHost(status: status, reason, text)
    }

    /// A body of `text` and the request's host.
    func replyNamingHost(status: Int, _ reason: EndReason, _ text: StaticString) {
        var body: [UInt8] = []
        body.append(text: text)
        body.append(contentsOf: self.authority)
        body.append(Bytes.lineFeed)
        self.reply(status: status, reason, body, edits: self.exchange.route?.responseHeaders)
    }

    /// A host that the registry does not know.
    func replyBlocked(status: Int, body: [UInt8]) {
        self.worker.countBlocked(
            name: String(decoding: self.authority, as: UTF8.self),
            address: self.facts.destination,
            reason: .blockedHost
        )
        guard body.isEmpty else {
            self.reply(status: status, .blockedHost, body, edits: self.exchange.route?.responseHeaders)
            return
        }
        self.replyNamingHost(status: status, .blockedHost, "blocked: no service or ServiceEntry knows the host ")
    }

    /// The client was not led to this address by the name that it uses there.
    func replyUnbound(_ reason: EndReason) {
        self.worker.countBlocked(
            name: String(decoding: self.authority, as: UTF8.self),
            address: self.facts.destination,
            reason: reason
        )
        guard reason == .blockedUnresolvedAddress else {
            return self.replyNamingHost(
                status: 403,
                reason,
                "blocked: look this name up and connect to the address that it has; it does not lead to this one: "
            )
        }
        var body: [UInt8] = []
        body.append(text: "blocked: look up an allowed name to get this address, or have it added to the setting ")
        body.append(text: "dnsBoundEgress.ipLiterals: ")
        body.append(contentsOf: self.facts.destination.ip.description.utf8)
        body.append(Bytes.lineFeed)
        self.reply(status: 403, reason, body, edits: nil)
    }

    func redirect(_ bytes: UnsafeRawBufferPointer, _ route: Route, _ redirect: RedirectAction) {
        let target = self.slice(bytes, self.scanner.target)
        let question = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        var location: [UInt8] = []
        location.append(contentsOf: redirect.scheme ?? Array((self.isSecure(bytes) ? "https" : "http").utf8))
        location.append(text: "://")
        location.append(contentsOf: redirect.host ?? self.authorityWithoutPort(dropping: redirect.port != nil))
        if let port = redirect.port {
            location.append(Bytes.colon)
            location.append(decimal: Int(port))
        }
        if let path = redirect.path {
            location.append(contentsOf: path)
            if !path.contains(UInt8(ascii: "?")) { location.append(contentsOf: target[question...]) }
        } else if let rewrite = redirect.prefixRewrite {
            let matched: Int
            switch route.match.path {
            case .prefix(let prefix), .separatedPrefix(let prefix): matched = min(prefix.count, question)
            case .exact, .regex: matched = question
            }
            location.append(contentsOf: rewrite)
            location.append(contentsOf: target[matched...])
        } else {
            location.append(contentsOf: target)
        }
        var edits = route.responseHeaders
        edits.set.append(HeaderEdits.Entry(name: Array("location".utf8), value: location))
        self.reply(status: redirect.status, .answeredByRoute, [], edits: edits)
    }

    func authorityWithoutPort(dropping isDropped: Bool) -> [UInt8] {
        isDropped ? self.withoutPort(self.authority) : self.authority
    }

    func withoutPort(_ host: [UInt8]) -> [UInt8] {
        guard let colon = host.lastIndex(of: Bytes.colon), !host[colon...].contains(UInt8(ascii: "]")) else {
            return host
        }
        return Array(host[..<colon])
    }

    func reply(status: Int, _ reason: EndReason, _ text: StaticString) {
        var body: [UInt8] = []
        body.append(text: text)
        self.reply(status: status, reason, body, edits: nil)
    }

    /// Answers and ends the exchange.
    func reply(status: Int, _ reason: EndReason, _ body: [UInt8], edits: HeaderEdits?) {
        guard self.exchange.isActive else { return }
        let edits = self.exchange.crossOrigin.map { (edits ?? HeaderEdits()).then($0) } ?? edits
        self.machine.replyStarted()
        self.exchange.status = status
        self.exchange.reason = reason
        // Half a request is still to come; nobody will read it.
        if self.machine.request != .complete { self.machine.keepAliveLost() }
        if self.worker.isDraining { self.machine.keepAliveLost() }
        var out = self.worker.takeScratch()
        if self.exchange.isGRPC {
            self.putGRPCFailure(status: status, body, edits, into: &out)
        } else {
            self.putReply(status: status, body, edits, into: &out)
        }
        let hasBody = !self.exchange.isGRPC && !self.exchange.isHead && status != 204 && status != 304 && !body.isEmpty
        if hasBody { out.writeBytes(body) }
        self.write(out, isLast: true)
        self.worker.returnScratch(out)
        self.endExchange()
    }

    private func putReply(status: Int, _ body: [UInt8], _ edits: HeaderEdits?, into out: inout ByteBuffer) {
        let room = 256 + body.count + (edits.map(HeadWriter.count) ?? 0)
        let isBare = self.exchange.isHead || status == 204 || status == 304 || body.isEmpty
        self.putResponseHead(isBare ? .none : .length(body.count), room: room, into: &out) { writer in
            writer.put("HTTP/1.1 ")
            writer.put(decimal: status)
            writer.put(Bytes.space)
            writer.put(StatusPhrase.of(status))
            writer.endLine()
            // What edits say of these lines goes before the defaults.
            if !HeadWriter.decides(edits, "server") { writer.put("server: lateen\r\n") }
            if !body.isEmpty, !HeadWriter.decides(edits, "content-type") { writer.put("content-type: text/plain\r\n") }
            if status != 204, status != 304 {
                writer.put("content-length: ")
                writer.put(decimal: body.count)
                writer.endLine()
            }
            if !self.isHTTP2 { self.putConnection(to: &writer) }
            if let edits { HeadWriter.putEdited(edits, to: &writer) }
        }
    }

    /// A gRPC client looks at nothing but `grpc-status`: an answer of trailers alone.
    private func putGRPCFailure(status: Int, _ body: [UInt8], _ edits: HeaderEdits?, into out: inout ByteBuffer) {
        let message = GRPC.message(body.last == Bytes.lineFeed ? body.dropLast() : body)
        let room = 256 + message.count + (edits.map(HeadWriter.count) ?? 0)
        self.exchange.status = 200
        self.putResponseHead(.none, room: room, into: &out) { writer in
            writer.put("HTTP/1.1 200 OK\r\n")
            if !HeadWriter.decides(edits, "server") { writer.put("server: lateen\r\n") }
            writer.put("content-type: application/grpc\r\ngrpc-status: ")
            writer.put(decimal: GRPC.status(of: status))
            writer.endLine()
            if !message.isEmpty {
                writer.put("grpc-message: ")
                writer.put(message)
                writer.endLine()
            }
            if !self.isHTTP2 {
                writer.put("content-length: 0\r\n")
                self.putConnection(to: &writer)
            }
            // The type of a body that is not sent.
            if let edits { HeadWriter.putEdited(edits, except: "content-type", to: &writer) }
        }
    }
}
