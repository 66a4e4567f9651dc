internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Answers that the proxy gives by itself.
extension ServerConnection {
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
            // Its head never became an exchange, but it is a request that somebody will look for in the log.
            self.exchange.reset()
            self.exchange.isActive = true
            self.exchange.startNanoseconds = NIODeadline.now().uptimeNanoseconds
            self.exchange.startMilliseconds = WallClock.milliseconds()
            self.captured.reset()
            self.capturedResponse.reset()
            self.counters.counts.requests += 1
            self.counters.counts.requestsActive += 1
            self.machine.requestStarted(hasBody: true, isIdempotent: false, keepsAlive: false)
        }
        self.machine.keepAliveLost()
        self.detach()
        if self.machine.response == .none {
            self.reply(status: status, reason, Array(text.utf8), edits: nil)
        } else {
            // The client has part of an answer: all that is left is to cut it off.
            self.exchange.reason = reason
            self.finishExchange()
            self.close()
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
        case .overflow: (status, text) = (503, "too many connections or requests are under way for ")
        case .noRoute, .noCluster, .completed, .answeredByRoute, .blockedHost, .blockedAddress, .retriesExhausted,
            .downstreamClosed, .downstreamReset, .downstreamProtocolError, .headTooLarge, .headTimedOut, .idleTimedOut,
            .loopDetected, .shutdown:
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

    func redirect(_ bytes: UnsafeRawBufferPointer, _ route: Route, _ redirect: RedirectAction) {
        let target = self.slice(bytes, self.scanner.target)
        let question = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        var location: [UInt8] = []
        location.append(contentsOf: redirect.scheme ?? Array("http".utf8))
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

    private func authorityWithoutPort(dropping isDropped: Bool) -> [UInt8] {
        guard isDropped, let colon = self.authority.lastIndex(of: Bytes.colon),
            !self.authority[colon...].contains(UInt8(ascii: "]"))
        else { return self.authority }
        return Array(self.authority[..<colon])
    }

    func reply(status: Int, _ reason: EndReason, _ text: StaticString) {
        var body: [UInt8] = []
        body.append(text: text)
        self.reply(status: status, reason, body, edits: nil)
    }

    /// Answers and ends the exchange.
    func reply(status: Int, _ reason: EndReason, _ body: [UInt8], edits: HeaderEdits?) {
        guard self.exchange.isActive else { return }
        self.machine.replyStarted()
        self.exchange.status = status
        self.exchange.reason = reason
        // Half a request is still to come; nobody will read it.
        if self.machine.request != .complete { self.machine.keepAliveLost() }
        if self.worker.isDraining { self.machine.keepAliveLost() }
        var out = self.worker.takeScratch()
        let room = 256 + body.count + (edits.map(HeadWriter.count) ?? 0)
        out.write(bytesMax: room) { writer in
            writer.put("HTTP/1.1 ")
            writer.put(decimal: status)
            writer.put(Bytes.space)
            writer.put(Self.phrase(status))
            writer.put("\r\nserver: lateen\r\n")
            if !body.isEmpty { writer.put("content-type: text/plain\r\n") }
            if status != 204, status != 304 {
                writer.put("content-length: ")
                writer.put(decimal: body.count)
                writer.endLine()
            }
            if !self.machine.promisesKeepAlive {
                writer.put("connection: close\r\n")
            } else if self.exchange.minorVersion == 0 {
                writer.put("connection: keep-alive\r\n")
            }
            if let edits { HeadWriter.putEdited(edits, to: &writer) }
            writer.endLine()
        }
        self.exchange.headBytesWritten = self.exchange.bytesWritten + out.readableBytes
        if !self.exchange.isHead, status != 204, status != 304 { out.writeBytes(body) }
        self.write(out)
        self.worker.returnScratch(out)
        self.endExchange()
    }

    private static func phrase(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 418: "I'm a teapot"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Answered"
        }
    }
}
