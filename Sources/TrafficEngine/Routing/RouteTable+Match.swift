internal import MeshModel

extension RouteTable {
    /// The virtual host that a request's authority belongs to; `nil`: none.
    package func virtualHost(_ request: RequestView) -> VirtualHost? {
        guard let index = self.index.find(request[request.authority]) else { return nil }
        return self.virtualHosts[index]
    }

    /// The route that a request takes; `nil`: none matches.
    ///
    /// Inside the virtual host the first route that matches wins, as written (facts #32), after that of its directory.
    package func route(_ request: RequestView) -> Route? {
        guard let index = self.index.find(request[request.authority]) else { return nil }
        let virtualHost = self.virtualHosts[index]
        let target = request[request.target]
        let question = target.position(of: UInt8(ascii: "?")) ?? target.count
        let path = target.slice(0, question)
        if let route = virtualHost.directory?.route(request), route.match.holds(request, path: path, target: target) {
            return route
        }
        for route in virtualHost.routes where route.match.holds(request, path: path, target: target) {
            return route
        }
        return nil
    }
}

extension RouteMatch {
    /// Whether all conditions hold. `path` is the target without its query.
    func holds(_ request: RequestView, path: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer) -> Bool {
        guard self.path.holds(path, ignoringCase: !self.isCaseSensitive) else { return false }
        for header in self.headers where !header.holds(request) { return false }
        if !self.queryParameters.isEmpty {
            let query = target.slice(min(path.count + 1, target.count), target.count)
            for parameter in self.queryParameters where !parameter.holds(query: query) { return false }
        }
        return true
    }
}

extension RouteMatch.Path {
    func holds(_ path: UnsafeRawBufferPointer, ignoringCase: Bool) -> Bool {
        switch self {
        case .prefix(let prefix):
            return path.holds(prefix, at: 0, ignoringCase: ignoringCase)
        case .exact(let exact):
            return path.equals(exact, ignoringCase: ignoringCase)
        case .separatedPrefix(let prefix):
            guard path.holds(prefix, at: 0, ignoringCase: ignoringCase) else { return false }
            return path.count == prefix.count || path[prefix.count] == UInt8(ascii: "/")
        case .regex(let pattern):
            return pattern.matches(path)
        }
    }
}

extension HeaderMatch {
    /// Whether the request has (or, inverted, has not) such a header.
    ///
    /// Like Envoy, a header that is missing fails a comparison, inverted or not, unless it counts as empty.
    func holds(_ request: RequestView) -> Bool {
        if self.name.first == UInt8(ascii: ":") { return self.decide(self.pseudoHeader(request)) }
        // RFC 9110 section 7.2: `host` is the authority, wherever it stood.
        if self.name == Self.host { return self.decide(request[request.authority]) }
        var first: UnsafeRawBufferPointer?
        for (index, field) in request.headers.enumerated() {
            guard request[field.name].equals(self.name, ignoringCase: true) else { continue }
            guard let earlier = first else {
                first = request[field.value]
                continue
            }
            return self.decideJoined(earlier, request, from: index)
        }
        return self.decide(first)
    }

    /// Whether a query string (without its `?`) has such a parameter; names and values are compared as sent, the first
    /// of a name counts.
    func holds(query: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while start < query.count {
            let rest = query.slice(start, query.count)
            let pair = rest.slice(0, rest.position(of: UInt8(ascii: "&")) ?? rest.count)
            let separator = pair.position(of: UInt8(ascii: "=")) ?? pair.count
            if pair.slice(0, separator).equals(self.name) {
                return self.decide(pair.slice(min(separator + 1, pair.count), pair.count))
            }
            start += pair.count + 1
        }
        return self.decide(nil)
    }

    private static let host = Array("host".utf8)
    private static let method = Array(":method".utf8)
    private static let path = Array(":path".utf8)
    private static let authority = Array(":authority".utf8)
    private static let scheme = Array(":scheme".utf8)

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private func pseudoHeader(_ request: RequestView) -> UnsafeRawBufferPointer? {
        if self.name == Self.method { return request[request.method] }
        if self.name == Self.path { return request[request.target] }
        if self.name == Self.authority { return request[request.authority] }
        if self.name == Self.scheme { return Self.bytes(request.isSecure ? "https" : "http") }
        return nil
    }

    /// Repeated fields count as one list (RFC 9110 section 5.3). Rare, so the copy is paid only here.
    private func decideJoined(_ first: UnsafeRawBufferPointer, _ request: RequestView, from index: Int) -> Bool {
        var joined = Array(first)
        for field in request.headers[index...] where request[field.name].equals(self.name, ignoringCase: true) {
            joined.append(UInt8(ascii: ","))
            joined += request[field.value]
        }
        return joined.withUnsafeBytes { self.decide($0) }
    }

    private func decide(_ value: UnsafeRawBufferPointer?) -> Bool {
        if case .present = self.value { return (value != nil) != self.isInverted }
        guard let value = value ?? (self.treatsMissingAsEmpty ? UnsafeRawBufferPointer(start: nil, count: 0) : nil)
        else { return false }
        return self.compares(value) != self.isInverted
    }

    private func compares(_ value: UnsafeRawBufferPointer) -> Bool {
        switch self.value {
        case .present: true
        case .exact(let exact): value.equals(exact)
        case .prefix(let prefix): value.holds(prefix, at: 0)
        case .suffix(let suffix): value.holds(suffix, at: value.count - suffix.count)
        case .contains(let part): value.contains(part)
        case .regex(let pattern): pattern.matches(value)
        }
    }
}
