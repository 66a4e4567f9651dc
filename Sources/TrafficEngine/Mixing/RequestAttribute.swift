internal import MeshModel

/// Attributes that a proxy reads from a request and its connection, apart from maps and times.
package enum RequestAttribute: String, CaseIterable, Sendable {
    case method = "request.method"
    /// With the query.
    case path = "request.path"
    case pathWithoutQuery = "request.url_path"
    case host = "request.host"
    case scheme = "request.scheme"
    case userAgent = "request.useragent"
    case referer = "request.referer"
    case requestID = "request.id"
    /// `http`, `grpc` or `tcp`.
    case protocolName = "context.protocol"
    case sourceAddress = "source.ip"
    /// The same of a request; Istio's proxies have it under this name.
    case originAddress = "origin.ip"
    /// As the peer's proxy says of itself (`ForwardedAttributes`).
    case sourceUID = "source.uid"
    /// The peer's identity without `spiffe://`.
    case sourcePrincipal = "source.principal"
    /// The same; its name in old rules.
    case sourceUser = "source.user"
    /// Out of the peer's identity.
    case sourceNamespace = "source.namespace"
    case isMutualTLS = "connection.mtls"
    case serverName = "connection.requested_server_name"
    /// Whom the peer speaks to by its certificate, without `spiffe://`.
    case destinationPrincipal = "destination.principal"
    /// Where the service's API says, or else where Istio's proxies look by default: in the query as `key` or `api_key`, then in
    /// `x-api-key`.
    case apiKey = "request.api_key"
    /// Of a verified token: issuer and subject.
    case authenticatedPrincipal = "request.auth.principal"
    case audiences = "request.auth.audiences"
    /// Whom the token was given to (`azp`).
    case presenter = "request.auth.presenter"
    /// The claims as the token's text has them.
    case rawClaims = "request.auth.raw_claims"
    /// Of a connection whose bytes nobody reads.
    case connectionID = "connection.id"

    var kind: AttributeRecord.Kind {
        switch self {
        case .sourceAddress, .originAddress: .bytes
        case .isMutualTLS: .truth
        case .method, .path, .pathWithoutQuery, .host, .scheme, .userAgent, .referer, .requestID, .protocolName,
            .sourceUID, .sourcePrincipal, .sourceUser, .sourceNamespace, .serverName, .destinationPrincipal, .apiKey,
            .authenticatedPrincipal, .audiences, .presenter, .rawClaims, .connectionID:
            .text
        }
    }

    /// Known without a request.
    var isOfConnection: Bool {
        switch self {
        case .protocolName, .sourceAddress, .sourcePrincipal, .sourceUser, .sourceNamespace, .isMutualTLS, .serverName,
            .destinationPrincipal, .connectionID:
            true
        case .method, .path, .pathWithoutQuery, .host, .scheme, .userAgent, .referer, .requestID, .originAddress,
            .sourceUID, .apiKey, .authenticatedPrincipal, .audiences, .presenter, .rawClaims:
            false
        }
    }
}

/// The attributes of one request or connection, read where they stand.
///
/// A value in the key of a cache and the one that the engine is told come from the same bytes, so that a cached answer
/// is never one about something else.
package struct RequestAttributes {
    static let headers = "request.headers"
    static let queryParameters = "request.query_params"
    /// When the request came.
    static let times: Set<String> = ["request.time", "context.time", "context.timestamp"]

    let request: RequestView
    let facts: PolicyFacts
    let policy: MixerPolicy
    let service: MixerService?
    /// `nil`: it is a request.
    let connection: String?

    /// `service`: the one that the request is for.
    package init(
        _ request: RequestView,
        _ facts: PolicyFacts,
        _ policy: MixerPolicy,
        _ service: MixerService? = nil
    ) {
        self.request = request
        self.facts = facts
        self.policy = policy
        self.service = service
        self.connection = nil
    }

    /// Of a connection by its name; the rest as of requests.
    package init(
        connection id: String,
        _ facts: PolicyFacts,
        _ policy: MixerPolicy,
        _ service: MixerService? = nil
    ) {
        let nothing = ByteRange(start: 0, count: 0)
        self.request = RequestView(
            bytes: UnsafeRawBufferPointer(start: nil, count: 0),
            method: nothing,
            target: nothing,
            authority: nothing,
            headers: UnsafeBufferPointer(start: nil, count: 0)
        )
        self.facts = facts
        self.policy = policy
        self.service = service
        self.connection = id
    }

    package var isConnection: Bool { self.connection != nil }

    // MARK: Fixed ones

    /// An attribute that the settings say: of the service, or else of the proxy.
    func fixed(_ name: String) -> MixerValue? { self.service?.attributes[name] ?? self.policy.attributes[name] }

    /// Its bytes in keys of caches.
    func fixedKey(_ name: String) -> [UInt8]? { self.service?.keys[name] ?? self.policy.keys[name] }

    // MARK: One by one

    /// Appends the bytes of an attribute; `false`: the request lacks it.
    func append(_ attribute: RequestAttribute, to key: inout [UInt8]) -> Bool {
        if self.isConnection, !attribute.isOfConnection { return false }
        let request = self.request
        switch attribute {
        case .method: key.append(contentsOf: request[request.method])
        case .path: key.append(contentsOf: request[request.target])
        case .pathWithoutQuery: key.append(contentsOf: self.path)
        case .host:
            guard !request.authority.isEmpty else { return false }
            key.append(contentsOf: request[request.authority])
        case .scheme: key.append(contentsOf: (request.isSecure ? "https" : "http").utf8)
        case .userAgent: return self.append(header: Self.userAgent, to: &key)
        case .referer: return self.append(header: Self.referer, to: &key)
        case .requestID: return self.append(header: Self.requestID, to: &key)
        case .protocolName:
            key.append(contentsOf: (self.isConnection ? "tcp" : self.isGRPC ? "grpc" : "http").utf8)
        case .sourceAddress, .originAddress:
            guard let source = self.facts.source else { return false }
            key.append(contentsOf: source.bytes)
        case .sourceUID:
            guard let uid = self.forwardedUID else { return false }
            key.append(contentsOf: uid)
        case .sourcePrincipal, .sourceUser:
            guard let principal = self.principal else { return false }
            key.append(contentsOf: principal.utf8)
        case .sourceNamespace:
            guard let namespace = self.namespace else { return false }
            key.append(contentsOf: namespace.utf8)
        case .isMutualTLS: key.append(self.facts.peer == nil ? 0 : 1)
        case .serverName:
            guard let name = self.facts.serverName else { return false }
            key.append(contentsOf: name.utf8)
        case .destinationPrincipal:
            guard self.policy.side == .inbound, self.facts.peer != nil, let uri = self.facts.localURI else {
                return false
            }
            key.append(contentsOf: Self.withoutScheme(uri).utf8)
        case .apiKey:
            if let places = self.service?.keyPlaces, !places.isEmpty { return self.append(firstOf: places, to: &key) }
            return self.append(parameter: Self.key, to: &key) || self.append(parameter: Self.apiKey, to: &key)
                || self.append(header: Self.apiKeyHeader, to: &key)
        case .authenticatedPrincipal: return Self.append(self.authenticatedPrincipal, to: &key)
        case .audiences: return Self.append(self.claim("aud"), to: &key)
        case .presenter: return Self.append(self.claim("azp"), to: &key)
        case .rawClaims:
            guard let text = self.rawClaims else { return false }
            key.append(contentsOf: text)
        case .connectionID: return Self.append(self.connection, to: &key)
        }
        return true
    }

    private static func append(_ text: String?, to key: inout [UInt8]) -> Bool {
        guard let text else { return false }
        key.append(contentsOf: text.utf8)
        return true
    }

    /// Appends the values of a header, which is named in lower case. Repeated lines are one list (RFC 9110 section 5.3).
    func append(header name: [UInt8], to key: inout [UInt8]) -> Bool {
        if name.first == UInt8(ascii: ":") { return self.append(pseudoHeader: name, to: &key) }
        if name == ForwardedAttributes.header { return false }
        var isThere = false
        for field in self.request.headers where self.request[field.name].equals(name, ignoringCase: true) {
            if isThere { key.append(UInt8(ascii: ",")) }
            key.append(contentsOf: self.request[field.value])
            isThere = true
        }
        return isThere
    }

    private func append(pseudoHeader name: [UInt8], to key: inout [UInt8]) -> Bool {
        switch name {
        case Self.authority: return self.append(.host, to: &key)
        case Self.method: return self.append(.method, to: &key)
        case Self.target: return self.append(.path, to: &key)
        default: return false
        }
    }

    /// Appends the value of a query's parameter as it was sent; of several with one name the first counts.
    func append(parameter name: [UInt8], to key: inout [UInt8]) -> Bool {
        for (parameter, value) in self.parameters where parameter.elementsEqual(name) {
            key.append(contentsOf: value)
            return true
        }
        return false
    }

    private static let key = Array("key".utf8)
    private static let apiKey = Array("api_key".utf8)
    private static let apiKeyHeader = Array("x-api-key".utf8)
    private static let userAgent = Array("user-agent".utf8)
    private static let referer = Array("referer".utf8)
    private static let requestID = Array("x-request-id".utf8)
    private static let contentType = Array("content-type".utf8)
    private static let grpc = Array("application/grpc".utf8)
    private static let authority = Array(":authority".utf8)
    private static let method = Array(":method".utf8)
    private static let target = Array(":path".utf8)
    private static let scheme = "spiffe://"

    private var path: UnsafeRawBufferPointer { PolicyPath.path(of: self.request[self.request.target]) }

    private var isGRPC: Bool {
        for field in self.request.headers where self.request[field.name].equals(Self.contentType, ignoringCase: true) {
            return self.request[field.value].holds(Self.grpc, at: 0)
        }
        return false
    }

    private var principal: Substring? {
        self.facts.peer?.uris.first.map(Self.withoutScheme)
    }

    private static func withoutScheme(_ uri: String) -> Substring {
        uri.hasPrefix(Self.scheme) ? uri.dropFirst(Self.scheme.count) : uri[...]
    }

    /// `TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`
    private var namespace: Substring? {
        guard let parts = self.principal?.split(separator: "/"), parts.count == 5, parts[1] == "ns" else { return nil }
        return parts[2]
    }

    /// Only of a peer that has proved who it is, and no more than that allows; two lines tell nothing.
    private var forwardedUID: [UInt8]? {
        guard self.facts.isPeerOfMesh, let namespace = self.namespace else { return nil }
        var value: UnsafeRawBufferPointer?
        for field in self.request.headers where self.isForwarded(field) {
            guard value == nil else { return nil }
            value = self.request[field.value]
        }
        return value.flatMap { ForwardedAttributes.sourceUID(in: $0, of: namespace) }
    }

    /// A line for proxies, which counts as none of the request's headers.
    func isForwarded(_ field: HeaderField) -> Bool {
        self.request[field.name].equals(ForwardedAttributes.header, ignoringCase: true)
    }

    private var parameters: [(UnsafeRawBufferPointer.SubSequence, UnsafeRawBufferPointer.SubSequence)] {
        let target = self.request[self.request.target]
        guard let question = target.position(of: UInt8(ascii: "?")) else { return [] }
        return target[(question + 1)...].split(separator: UInt8(ascii: "&")).map { pair in
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            return (pair[..<equals], equals == pair.endIndex ? pair[equals...] : pair[(equals + 1)...])
        }
    }

    // MARK: All of them

    /// All attributes by name; those of the request count before the fixed ones. `milliseconds`: when it came, since 1970.
    package func all(at milliseconds: Int64) -> [String: MixerValue] {
        var record = AttributeRecord()
        record.add(self)
        record.add(start: milliseconds, ofConnection: self.isConnection)
        return record.values(over: self.policy.attributes(of: self.service))
    }

    /// Appends names, in lower case, and values of headers as a map of `AttributeRecord`.
    func appendHeaders(to bytes: inout [UInt8]) {
        bytes.appendHeaders(self.request.headers, in: self.request.bytes) { self.isForwarded($0) }
        for name in [Self.authority, Self.method, Self.target] {
            let start = bytes.count
            bytes.appendPart(name)
            let value = bytes.openPart()
            if self.append(pseudoHeader: name, to: &bytes) {
                bytes.closePart(value)
            } else {
                bytes.removeSubrange(start...)
            }
        }
    }

    var hasParameters: Bool {
        let target = self.request[self.request.target]
        guard let question = target.position(of: UInt8(ascii: "?")) else { return false }
        return target[(question + 1)...].contains { $0 != UInt8(ascii: "&") }
    }

    /// Appends the parameters of the query as a map of `AttributeRecord`; of several with one name the first counts.
    func appendParameters(to bytes: inout [UInt8]) {
        let parameters = self.parameters
        for (index, (name, value)) in parameters.enumerated()
        where !parameters[..<index].contains(where: { $0.0.elementsEqual(name) }) {
            bytes.appendPart(name)
            bytes.appendPart(value)
        }
    }
}

extension [UInt8] {
    /// Adds names and values by turns.
    mutating func appendMap(_ entries: [String: String]) {
        for (name, value) in entries.sorted(by: { $0.key < $1.key }) {
            self.appendPart(name.utf8)
            self.appendPart(value.utf8)
        }
    }

    /// Adds names, in lower case, and values of header lines by turns; repeated lines are one list (RFC 9110 section 5.3).
    mutating func appendHeaders(
        _ fields: some RandomAccessCollection<HeaderField>,
        in head: UnsafeRawBufferPointer,
        leavingOut isLeftOut: (HeaderField) -> Bool
    ) {
        func text(_ range: ByteRange) -> UnsafeRawBufferPointer {
            head.slice(Int(range.start), Int(range.start + range.count))
        }
        func isSame(_ one: HeaderField, _ other: HeaderField) -> Bool {
            one.name.count == other.name.count
                && zip(text(one.name), text(other.name)).allSatisfy { lowered($0) == lowered($1) }
        }
        for index in fields.indices {
            let field = fields[index]
            if isLeftOut(field) || fields[..<index].contains(where: { isSame($0, field) }) { continue }
            self.appendPart(text(field.name).lazy.map(lowered))
            let value = self.openPart()
            self.append(contentsOf: text(field.value))
            for other in fields[fields.index(after: index)...] where isSame(field, other) {
                self.append(UInt8(ascii: ","))
                self.append(contentsOf: text(other.value))
            }
            self.closePart(value)
        }
    }
}
