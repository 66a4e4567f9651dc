/// Attributes that proxies tell besides those of `RequestAttribute`.
enum ToldAttribute: Int, CaseIterable {
    case requestHeaders, queryParameters, claims, requestTime, contextTime, destinationAddress, destinationPort
    case requestSize, requestTotalSize
    case responseCode, responseSize, responseTotalSize, responseHeaders, responseDuration, responseTime
    case grpcStatus, grpcMessage
    case connectionEvent, receivedBytes, receivedBytesTotal, sentBytes, sentBytesTotal, connectionDuration
    case proxyErrorCode, checkCacheHit, quotaCacheHit, checkErrorCode, checkErrorMessage
    case dryRunResult, dryRunPolicy

    var name: String {
        switch self {
        case .requestHeaders: RequestAttributes.headers
        case .queryParameters: RequestAttributes.queryParameters
        case .claims: RequestAttributes.claims
        case .requestTime: "request.time"
        case .contextTime: "context.time"
        case .destinationAddress: "destination.ip"
        case .destinationPort: "destination.port"
        case .requestSize: "request.size"
        case .requestTotalSize: "request.total_size"
        case .responseCode: "response.code"
        case .responseSize: "response.size"
        case .responseTotalSize: "response.total_size"
        case .responseHeaders: "response.headers"
        case .responseDuration: "response.duration"
        case .responseTime: "response.time"
        case .grpcStatus: "response.grpc_status"
        case .grpcMessage: "response.grpc_message"
        case .connectionEvent: "connection.event"
        case .receivedBytes: "connection.received.bytes"
        case .receivedBytesTotal: "connection.received.bytes_total"
        case .sentBytes: "connection.sent.bytes"
        case .sentBytesTotal: "connection.sent.bytes_total"
        case .connectionDuration: "connection.duration"
        case .proxyErrorCode: "context.proxy_error_code"
        case .checkCacheHit: "check.cache_hit"
        case .quotaCacheHit: "quota.cache_hit"
        case .checkErrorCode: "check.error_code"
        case .checkErrorMessage: "check.error_message"
        case .dryRunResult: "rbac.permissive.response_code"
        case .dryRunPolicy: "rbac.permissive.effective_policy_id"
        }
    }

    var kind: AttributeRecord.Kind {
        switch self {
        case .requestHeaders, .queryParameters, .claims, .responseHeaders: .map
        case .requestTime, .contextTime, .responseTime: .moment
        case .responseDuration, .connectionDuration: .duration
        case .destinationAddress: .bytes
        case .grpcStatus, .grpcMessage, .connectionEvent, .proxyErrorCode, .checkErrorMessage, .dryRunResult,
            .dryRunPolicy:
            .text
        case .checkCacheHit, .quotaCacheHit: .truth
        case .destinationPort, .requestSize, .requestTotalSize, .responseCode, .responseSize, .responseTotalSize,
            .receivedBytes, .receivedBytesTotal, .sentBytes, .sentBytesTotal, .checkErrorCode:
            .number
        }
    }
}

/// Attributes of one request or connection as bytes: reports are written from it, hundreds of thousands a second, without
/// a text or a dictionary being made.
///
/// It has a place for every attribute that a proxy reads or counts by itself. The attributes that the settings say are
/// not in it; its own count before them.
package struct AttributeRecord: Sendable {
    /// How a value is kept.
    package enum Kind: Sendable {
        /// Bytes.
        case text, bytes
        /// A number; a moment in milliseconds since 1970, a duration in nanoseconds.
        case truth, number, moment, duration
        /// Bytes: names and values by turns, each with its count (4 bytes, little-endian) in front.
        case map

        package var isNumber: Bool {
            switch self {
            case .truth, .number, .moment, .duration: true
            case .text, .bytes, .map: false
            }
        }
    }

    /// Of all places, in their order.
    package static let names = RequestAttribute.allCases.map(\.rawValue) + ToldAttribute.allCases.map(\.name)
    package static let kinds = RequestAttribute.allCases.map(\.kind) + ToldAttribute.allCases.map(\.kind)
    private static let requestAttributes = RequestAttribute.allCases
    private static let requestAttributeCount = RequestAttribute.allCases.count

    private static let numbers = Self.kinds.enumerated().reduce(UInt64(0)) { mask, kind in
        kind.element.isNumber ? mask | 1 << UInt64(kind.offset) : mask
    }

    private var bytes: [UInt8] = []
    /// Of each place the number, or where its bytes begin (upper half) and end.
    private var places = [Int64](repeating: 0, count: Self.names.count)
    /// The places that are filled, one bit each.
    package private(set) var mask: UInt64 = 0

    package init() {}

    /// The bytes of a place that is filled with some, valid during the call.
    @inline(__always)
    package func withBytes<Result>(of place: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let range = self.range(of: place)
        return self.bytes.withUnsafeBytes { body($0.slice(range.lowerBound, range.upperBound)) }
    }

    /// The number that a place is filled with.
    @inline(__always)
    package func number(of place: Int) -> Int64 { self.places[place] }

    @inline(__always)
    private func range(of place: Int) -> Range<Int> {
        Int(self.places[place] >> 32)..<Int(self.places[place] & 0xFFFF_FFFF)
    }

    /// The places of which another record does not say the same, one bit each.
    package func places(unlike other: AttributeRecord) -> UInt64 {
        var unlike = self.mask & ~other.mask
        var rest = self.mask & other.mask
        while rest != 0 {
            let place = rest.trailingZeroBitCount
            let bit = rest & (~rest + 1)
            rest ^= bit
            let isSame =
                Self.numbers & bit != 0
                ? self.places[place] == other.places[place]
                : self.withBytes(of: place) { own in other.withBytes(of: place) { own.isSame(as: $0) } }
            if !isSame { unlike |= bit }
        }
        return unlike
    }

    // MARK: Filling

    /// Nothing is filled any more; the room for it stays.
    package mutating func removeAll() {
        self.bytes.removeAll(keepingCapacity: true)
        self.mask = 0
    }

    @inline(__always)
    private mutating func close(_ place: Int, _ start: Int) {
        self.mask |= 1 << UInt64(place)
        self.places[place] = Int64(start) << 32 | Int64(self.bytes.count)
    }

    /// Fills a place with what `fill` appends.
    @inline(__always)
    mutating func set(_ attribute: ToldAttribute, _ fill: (inout [UInt8]) -> Void) {
        let start = self.bytes.count
        fill(&self.bytes)
        self.close(Self.requestAttributeCount + attribute.rawValue, start)
    }

    mutating func set(_ attribute: ToldAttribute, text: String) {
        self.set(attribute) { $0.append(contentsOf: text.utf8) }
    }

    mutating func set(_ attribute: ToldAttribute, truth: Bool) { self.set(attribute, truth ? 1 : 0) }

    @inline(__always)
    mutating func set(_ attribute: ToldAttribute, _ number: Int64) {
        self.set(Self.requestAttributeCount + attribute.rawValue, number)
    }

    @inline(__always)
    private mutating func set(_ place: Int, _ number: Int64) {
        self.mask |= 1 << UInt64(place)
        self.places[place] = number
    }

    mutating func set(_ attribute: ToldAttribute, _ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.set(attribute, seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// Fills what a proxy reads of a request or connection.
    mutating func add(_ attributes: RequestAttributes) {
        for (place, attribute) in Self.requestAttributes.enumerated() {
            let start = self.bytes.count
            guard attributes.append(attribute, to: &self.bytes) else { continue }
            if attribute.kind == .truth {
                self.set(place, Int64(self.bytes.removeLast()))
            } else {
                self.close(place, start)
            }
        }
        if attributes.isConnection { return }
        self.set(.requestHeaders) { attributes.appendHeaders(to: &$0) }
        let claims = attributes.claimMap
        if !claims.isEmpty { self.set(.claims) { $0.appendMap(claims) } }
        if attributes.hasParameters { self.set(.queryParameters) { attributes.appendParameters(to: &$0) } }
    }

    /// Fills when a request came, or a connection began: `milliseconds` since 1970.
    mutating func add(start milliseconds: Int64, ofConnection isConnection: Bool) {
        self.set(.contextTime, milliseconds)
        if !isConnection { self.set(.requestTime, milliseconds) }
    }

    // MARK: Values

    /// The attributes by name, over others.
    func values(over others: [String: MixerValue]) -> [String: MixerValue] {
        var values = others
        for place in Self.names.indices where self.mask >> UInt64(place) & 1 == 1 {
            let number = self.places[place]
            let kind = Self.kinds[place]
            let bytes = kind.isNumber ? [] : self.bytes[self.range(of: place)]
            values[Self.names[place]] =
                switch kind {
                case .text: .text(String(decoding: bytes, as: UTF8.self))
                case .bytes: .bytes(Array(bytes))
                case .truth: .truth(number == 1)
                case .number: .number(number)
                case .moment: .moment(milliseconds: number)
                case .duration: .duration(.nanoseconds(number))
                case .map: .map(Self.map(bytes))
                }
        }
        return values
    }

    private static func map(_ bytes: ArraySlice<UInt8>) -> [String: String] {
        var rest = bytes
        func part() -> String? {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            defer { rest = rest.dropFirst(count) }
            return String(decoding: rest.prefix(count), as: UTF8.self)
        }
        var entries: [String: String] = [:]
        while let name = part(), let value = part() { entries[name] = value }
        return entries
    }
}
