internal import MeshModel
internal import TrafficEngine

extension ServerExchange {
    /// Hashes the parts of the request that decide which endpoint it goes to (Envoy `hash_policy`).
    func makeHash(_ bytes: UnsafeRawBufferPointer, _ keys: [HashKey]) {
        var hash: UInt64?
        for key in keys {
            guard let part = self.hash(of: key.value, bytes) else { continue }
            hash = hash.map { ($0 << 1 | $0 >> 63) ^ part } ?? part
            if key.isTerminal { break }
        }
        self.exchange.hash = hash
    }

    private func hash(of value: HashKey.Value, _ bytes: UnsafeRawBufferPointer) -> UInt64? {
        switch value {
        case .header(let name):
            let fields = self.scanner.fields.fields
            let found = fields.first { Bytes.equal(self.slice(bytes, $0.name), lowercase: name) }
            return found.map { XXHash64.hash(self.slice(bytes, $0.value)) }
        case .sourceAddress:
            return self.facts.source.map { XXHash64.hash(Array($0.ip.description.utf8)) }
        case .queryParameter(let name):
            return Self.parameter(name, in: self.slice(bytes, self.scanner.target)).map { XXHash64.hash($0) }
        case .cookie(let name, let path, let ttl):
            if let found = self.cookie(name, bytes) { return XXHash64.hash(found) }
            return ttl.map { self.makeCookie(name, path, $0) }
        }
    }

    private func cookie(_ name: [UInt8], _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        for field in self.scanner.fields.fields where Bytes.equal(self.slice(bytes, field.name), "cookie") {
            for pair in self.slice(bytes, field.value).split(separator: UInt8(ascii: ";")) {
                let trimmed = pair.drop { $0 == Bytes.space }
                guard trimmed.count > name.count, trimmed.prefix(name.count).elementsEqual(name),
                    trimmed[trimmed.startIndex + name.count] == UInt8(ascii: "=")
                else { continue }
                return UnsafeRawBufferPointer(rebasing: trimmed.dropFirst(name.count + 1))
            }
        }
        return nil
    }

    /// Gives the client a cookie, so that its next requests go where this one goes; returns the hash of its value.
    private func makeCookie(_ name: [UInt8], _ path: [UInt8], _ ttl: Duration) -> UInt64 {
        let value = Array(String(self.worker.random(), radix: 16).utf8)
        var text = name + [UInt8(ascii: "=")] + Array("\"".utf8) + value + Array("\"".utf8)
        if ttl > .zero { text += Array("; Max-Age=\(ttl.components.seconds)".utf8) }
        if !path.isEmpty { text += Array("; Path=".utf8) + path }
        text += Array("; HttpOnly".utf8)
        var effects = self.exchange.effects ?? PolicyEffects()
        effects.responseHeaders.add.append(HeaderEdits.Entry(name: Array("set-cookie".utf8), value: text))
        self.exchange.effects = effects
        return XXHash64.hash(Array("\"".utf8) + value + Array("\"".utf8))
    }

    private static func parameter(_ name: [UInt8], in target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let question = target.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        for pair in target[(question + 1)...].split(separator: UInt8(ascii: "&")) {
            guard pair.count > name.count, pair.prefix(name.count).elementsEqual(name),
                pair[pair.startIndex + name.count] == UInt8(ascii: "=")
            else { continue }
            return UnsafeRawBufferPointer(rebasing: pair.dropFirst(name.count + 1))
        }
        return nil
    }
}

extension OutlierDetector.Outcome {
    /// How an answer with this status counts.
    init(status: Int) {
        switch status {
        case 502, 503, 504: self = .gatewayError
        case 500...: self = .serverError
        default: self = .success
        }
    }
}
