internal import MeshModel
internal import NIOCore
internal import TrafficEngine

extension ServerExchange {
    /// Writes the request's head as it goes to the endpoint into `exchange.head`: one copy.
    func writeHead(
        _ bytes: UnsafeRawBufferPointer,
        _ route: Route,
        _ forward: ForwardAction,
        _ target: borrowing WeightedCluster
    ) {
        let fields = self.scanner.fields
        let headCount = self.scanner.headCount
        var dropped = fields.dropped
        let hostRewrite = self.hostRewrite(route, forward, target)
        if (hostRewrite != nil || self.scanner.isAbsoluteForm), fields.hostIndex >= 0 {
            dropped.insert(fields.hostIndex)
        }
        let addsForwarding = self.manager.addsForwardingHeaders
        let certificate = self.forwardedCertificate(fields, &dropped)
        if self.manager.appendsPeerAddress { self.sanitize(fields, &dropped) }
        // Of a request for a revision this proxy alone says who has reported it; the application has no use for it.
        let visit = self.exchange.visit
        if visit != nil { dropped.formUnion(fields.reportedLines) }
        var room =
            headCount + 512 + (certificate?.count ?? 0) + (hostRewrite?.count ?? 0)
            + (forward.prefixRewrite?.count ?? 0)
        room += self.authority.count + Int(self.scanner.target.count)
        let hasEdits = !route.requestHeaders.isEmpty || !target.requestHeaders.isEmpty
        if hasEdits {
            HeadWriter.markEdited(bytes, fields, route.requestHeaders, &dropped)
            HeadWriter.markEdited(bytes, fields, target.requestHeaders, &dropped)
            room += HeadWriter.count(route.requestHeaders) + HeadWriter.count(target.requestHeaders)
        }
        // Lines of the proxy's own that edits remove or set, and that it leaves to them.
        var left = route.requestLines.union(target.requestLines)
        let effects = self.exchange.effects?.requestHeaders
        if let effects {
            left.formUnion(effects.proxyLines)
            HeadWriter.markEdited(bytes, fields, effects, &dropped)
            room += HeadWriter.count(effects)
        }
        // A body without a length needs chunks in HTTP/1; HTTP/2 leaves the line out again.
        let addsChunks = self.exchange.bodyForm == .parts
        let keepsStartLine =
            forward.prefixRewrite == nil && !self.scanner.isAbsoluteForm && self.scanner.minorVersion == 1
            && !self.scanner.isTargetNormalized
        var path: Range<Int>?
        // Moved out while it is written: the writing reads its neighbours.
        var head = ByteBuffer()
        swap(&head, &self.exchange.head)
        head.clear()
        head.write(bytesMax: room) { writer in
            if !keepsStartLine { path = self.putStartLine(bytes, route, forward, to: &writer) }
            HeadWriter.copyLines(
                bytes,
                fields,
                firstLine: keepsStartLine ? 0 : self.scanner.startLineCount,
                headCount: headCount,
                dropped: dropped,
                to: &writer
            )
            if let hostRewrite {
                Self.put("host: ", hostRewrite, to: &writer)
            } else if self.scanner.isAbsoluteForm || fields.hostIndex < 0 {
                Self.put("host: ", self.authority, to: &writer)
            }
            if self.exchange.awaitsUpgrade { writer.put("connection: upgrade\r\nupgrade: websocket\r\n") }
            if self.manager.appendsPeerAddress { self.putPeerAddress(bytes, fields, except: left, to: &writer) }
            if addsForwarding { self.putForwarding(fields, except: left, to: &writer) }
            if forward.prefixRewrite != nil, !left.contains(.originalPath) {
                self.putOriginalPath(bytes, to: &writer)
            }
            if addsChunks { writer.put("transfer-encoding: chunked\r\n") }
            if let visit, visit.isMarked { writer.put("k-proxy-request: activator\r\n") }
            if let certificate, !left.contains(.clientCertificate) {
                self.putCertificate(certificate, bytes, fields, to: &writer)
            }
            if let effects { HeadWriter.putEdited(effects, to: &writer) }
            if hasEdits {
                HeadWriter.putEdited(route.requestHeaders, to: &writer)
                HeadWriter.putEdited(target.requestHeaders, to: &writer)
            }
            writer.endLine()
        }
        self.exchange.headCount = head.readableBytes
        self.exchange.tellsSource = false
        self.exchange.head = head
        if !self.logs.isEmpty { self.captureRequest(bytes, path: path) }
    }

    private func hostRewrite(
        _ route: Route,
        _ forward: ForwardAction,
        _ target: borrowing WeightedCluster
    ) -> [UInt8]? {
        if let host = forward.hostRewrite { return host }
        if !target.requestHeaders.set.isEmpty, let host = HeadWriter.hostRewrite(target.requestHeaders) { return host }
        if !route.requestHeaders.set.isEmpty, let host = HeadWriter.hostRewrite(route.requestHeaders) { return host }
        return nil
    }

    /// Writes the start line in origin form; returns where the new path stands among the written bytes.
    private func putStartLine(
        _ bytes: UnsafeRawBufferPointer,
        _ route: Route,
        _ forward: ForwardAction,
        to writer: inout ByteWriter
    ) -> Range<Int> {
        writer.put(self.slice(bytes, self.scanner.method))
        writer.put(Bytes.space)
        let start = writer.count
        let target = self.slice(bytes, self.scanner.target)
        if let rewrite = forward.prefixRewrite {
            let matched = Self.matchedCount(route.match.path, target)
            writer.put(rewrite)
            let rest = UnsafeRawBufferPointer(rebasing: target[matched...])
            if rewrite.isEmpty, rest.first != UInt8(ascii: "/") { writer.put(UInt8(ascii: "/")) }
            writer.put(rest)
        } else {
            writer.put(target)
        }
        let path = start..<writer.count
        writer.put(" HTTP/1.1\r\n")
        return path
    }

    /// How much of the target a prefix rewrite replaces: what the route matched.
    private static func matchedCount(_ path: RouteMatch.Path, _ target: UnsafeRawBufferPointer) -> Int {
        let pathCount = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        switch path {
        case .prefix(let prefix), .separatedPrefix(let prefix): return min(prefix.count, pathCount)
        case .exact, .regex: return pathCount
        }
    }

    private func putPeerAddress(
        _ bytes: UnsafeRawBufferPointer,
        _ fields: borrowing HeadFields,
        except left: ProxyLines,
        to writer: inout ByteWriter
    ) {
        if !left.contains(.forwardedFor) {
            writer.put("x-forwarded-for: ")
            if fields.forwardedForIndex >= 0 {
                writer.put(self.slice(bytes, fields.fields[fields.forwardedForIndex].value))
                writer.put(", ")
            }
            writer.put(self.sourceText)
            writer.endLine()
        }
        // The client as the edge saw it, unless it is one of the house.
        if self.manager.trustedHops == 0, !left.contains(.externalAddress), !self.isSourcePrivate {
            Self.put("x-envoy-external-address: ", self.sourceText, to: &writer)
        }
    }

    private var isSourcePrivate: Bool {
        switch self.facts.source?.ip {
        case .v4(let bits):
            bits >> 24 == 10 || bits >> 24 == 127 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8
        case .v6(let high, let low): high >> 57 == 0x7E || (high == 0 && low == 1)
        case nil: true
        }
    }

    /// `x-forwarded-proto` counts as it came: anywhere but at the edge, and there if proxies of ours stand in front.
    private var trustsForwardedProto: Bool { !self.manager.appendsPeerAddress || self.manager.trustedHops > 0 }

    /// The request's scheme is `https`: as `x-forwarded-proto` says where that counts, else by the connection (Envoy's
    /// rule for `:scheme`).
    func isSecure(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let lines = self.scanner.fields.forwardedProtoLines
        guard let first = lines.first, self.trustsForwardedProto else { return self.facts.isTLS }
        let value = self.slice(bytes, self.scanner.fields.fields[first].value)
        if Bytes.equal(value, "https") { return true }
        return Bytes.equal(value, "http") ? false : self.facts.isTLS
    }

    /// At the edge of a mesh nobody outside may speak for a proxy (facts #55).
    private func sanitize(_ fields: borrowing HeadFields, _ dropped: inout IndexSet128) {
        if fields.forwardedForIndex >= 0 { dropped.insert(fields.forwardedForIndex) }
        if !self.trustsForwardedProto { dropped.formUnion(fields.forwardedProtoLines) }
        dropped.formUnion(fields.envoyLines)
        dropped.formUnion(fields.reportedLines)
    }

    // MARK: The client's certificate

    /// The element for `x-forwarded-client-cert`, as Envoy writes it; `nil`: none is written. Marks a line that came
    /// for removal where it has to go or is written anew.
    private func forwardedCertificate(_ fields: borrowing HeadFields, _ dropped: inout IndexSet128) -> [UInt8]? {
        let index = fields.clientCertificateIndex
        func drop() { if index >= 0 { dropped.insert(index) } }
        switch self.manager.clientCertificateHeader.mode {
        case .alwaysForwardOnly: return nil
        case .sanitize:
            drop()
            return nil
        case .forwardOnly:
            if self.facts.peer == nil { drop() }
            return nil
        case .appendForward, .sanitizeSet:
            drop()
            return self.facts.peer == nil ? nil : self.certificateElement
        }
    }

    private func putCertificate(
        _ element: [UInt8],
        _ bytes: UnsafeRawBufferPointer,
        _ fields: borrowing HeadFields,
        to writer: inout ByteWriter
    ) {
        writer.put("x-forwarded-client-cert: ")
        if self.manager.clientCertificateHeader.mode == .appendForward, fields.clientCertificateIndex >= 0 {
            writer.put(self.slice(bytes, fields.fields[fields.clientCertificateIndex].value))
            writer.put(",")
        }
        writer.put(element)
        writer.endLine()
    }

    func makeCertificateElement() -> [UInt8] {
        guard let peer = self.facts.peer else { return [] }
        return ClientCertificateElement.text(
            of: peer,
            by: self.facts.localURI,
            self.manager.clientCertificateHeader
        )
    }

    private func putForwarding(
        _ fields: borrowing HeadFields,
        except left: ProxyLines,
        to writer: inout ByteWriter
    ) {
        if fields.forwardedProtoLines.isEmpty || !self.trustsForwardedProto, !left.contains(.forwardedProto) {
            writer.put(self.facts.isTLS ? "x-forwarded-proto: https\r\n" : "x-forwarded-proto: http\r\n")
        }
        if fields.requestIDIndex < 0, !left.contains(.requestID) {
            Self.put("x-request-id: ", self.requestID, to: &writer)
        }
    }

    private func putOriginalPath(_ bytes: UnsafeRawBufferPointer, to writer: inout ByteWriter) {
        writer.put("x-envoy-original-path: ")
        writer.put(self.slice(bytes, self.scanner.target))
        writer.endLine()
    }

    private static func put(_ name: StaticString, _ value: [UInt8], to writer: inout ByteWriter) {
        writer.put(name)
        writer.put(value)
        writer.endLine()
    }

    func slice(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
    }

    /// A random UUID (RFC 9562, version 4) in text.
    func makeRequestID() {
        if self.requestID.count != 36 { self.requestID = [UInt8](repeating: UInt8(ascii: "-"), count: 36) }
        let high = (self.worker.random() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (self.worker.random() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        var place = 0
        self.requestID.withUnsafeMutableBufferPointer { text in
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 { place += 1 }
                let word = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - (digit & 15) * 4)) & 15
                text[place] = value < 10 ? value + 48 : value + 87
                place += 1
            }
        }
    }

    // MARK: Access log

    /// Copies the header values that a log line will need. `path`: where a rewritten path stands in `exchange.head`.
    func captureRequest(_ bytes: UnsafeRawBufferPointer, path: Range<Int>?) {
        guard !self.logs.isEmpty else { return }
        self.captured.reset()
        self.capturedResponse.reset()
        for log in self.logs {
            for header in log.format.requestHeaders {
                if self.capture(header.name, bytes, path) { continue }
                if header.alternative.isEmpty || !self.capture(header.alternative, bytes, path) {
                    self.captured.append(nil)
                }
            }
        }
    }

    /// Appends the value of a header as it is sent on; `false`: there is none.
    private func capture(_ name: [UInt8], _ bytes: UnsafeRawBufferPointer, _ path: Range<Int>?) -> Bool {
        if name.first == Bytes.colon {
            switch name {
            case Self.method: self.captured.append(self.slice(bytes, self.scanner.method))
            case Self.path:
                if let path, let head = self.exchange.head.viewBytes(at: path.lowerBound, length: path.count) {
                    head.withUnsafeBytes { self.captured.append($0) }
                } else {
                    self.captured.append(self.slice(bytes, self.scanner.target))
                }
            case Self.authority: self.authority.withUnsafeBytes { self.captured.append($0) }
            case Self.scheme:
                Array((self.isSecure(bytes) ? "https" : "http").utf8).withUnsafeBytes { self.captured.append($0) }
            default: return false
            }
            return true
        }
        if name == Self.originalPath, self.exchange.forward?.prefixRewrite != nil {
            self.captured.append(self.slice(bytes, self.scanner.target))
            return true
        }
        let fields = self.scanner.fields
        if name == Self.requestIDName, fields.requestIDIndex < 0, self.manager.addsForwardingHeaders {
            self.requestID.withUnsafeBytes { self.captured.append($0) }
            return true
        }
        if name == Self.forwardedFor, fields.forwardedForIndex < 0, self.manager.appendsPeerAddress {
            self.sourceText.withUnsafeBytes { self.captured.append($0) }
            return true
        }
        for field in fields.fields where Bytes.equal(self.slice(bytes, field.name), lowercase: name) {
            self.captured.append(self.slice(bytes, field.value))
            return true
        }
        return false
    }

    private static let method = Array(":method".utf8)
    private static let path = Array(":path".utf8)
    private static let authority = Array(":authority".utf8)
    private static let scheme = Array(":scheme".utf8)
    private static let originalPath = Array("x-envoy-original-path".utf8)
    private static let requestIDName = Array("x-request-id".utf8)
    private static let forwardedFor = Array("x-forwarded-for".utf8)
}
