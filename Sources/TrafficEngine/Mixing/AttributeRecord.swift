/// Attributes that proxies tell besides those of `RequestAttribute`.
enum ToldAttribute: Int, CaseIterable {
    case requestHeaders, queryParameters, claims, requestTime, contextTime, destinationAddress, destinationPort
    case requestSize, requestTotalSize
    case responseCode, responseSize, responseTotalSize, responseHeaders, responseDuration, responseTime
    case grpcStatus, grpcMessage
    case connectionEvent, receivedBytes, receivedBytesTotal, sentBytes, sentBytesTotal, connectionDuration
    case proxyErrorCode, checkCacheHit, quotaCacheHit, checkErrorCode, checkErrorMessage

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
        }
    }

    var kind: AttributeTable.Kind {
        switch self {
        case .requestHeaders, .queryParameters, .claims, .responseHeaders: .map
        case .requestTime, .contextTime, .responseTime: .moment
        case .responseDuration, .connectionDuration: .duration
        case .destinationAddress: .bytes
        case .grpcStatus, .grpcMessage, .connectionEvent, .proxyErrorCode, .checkErrorMessage: .text
        case .checkCacheHit, .quotaCacheHit: .truth
        case .destinationPort, .requestSize, .requestTotalSize, .responseCode, .responseSize, .responseTotalSize,
            .receivedBytes, .receivedBytesTotal, .sentBytes, .sentBytesTotal, .checkErrorCode:
            .number
        }
    }
}

/// Attributes of requests and connections as bytes, one record for each: reports are written from it, hundreds of
/// thousands a second, without a text or a dictionary being made.
///
/// A record has a place for every attribute that a proxy reads or counts by itself. The attributes that the settings
/// say are not in it; those of a record count before them.
package struct AttributeTable: Sendable {
    /// How a value stands in the bytes.
    package enum Kind: Sendable {
        case text, bytes
        /// 1 byte.
        case truth
        /// 8 bytes, little-endian; a moment in milliseconds since 1970, a duration in nanoseconds.
        case number, moment, duration
        /// Names and values by turns, each with its count (4 bytes, little-endian) in front.
        case map
    }

    /// Of all places, in their order.
    package static let names = RequestAttribute.allCases.map(\.rawValue) + ToldAttribute.allCases.map(\.name)
    package static let kinds = RequestAttribute.allCases.map(\.kind) + ToldAttribute.allCases.map(\.kind)
    private static let requestAttributes = RequestAttribute.allCases
    private static let requestAttributeCount = RequestAttribute.allCases.count

    /// Of all records.
    package private(set) var bytes: [UInt8] = []
    /// Where each place of each record begins and ends.
    private var places: [(start: UInt32, end: UInt32)] = []
    /// The places that are filled, one bit each.
    package private(set) var masks: [UInt64] = []

    package init() {}

    package var count: Int { self.masks.count }

    /// Where the value of a place stands in `bytes`; meaningless if its bit is not set.
    package func range(of place: Int, in record: Int) -> Range<Int> {
        let (start, end) = self.places[record * Self.names.count + place]
        return Int(start)..<Int(end)
    }

    /// Whether two records say the same in a place that both have.
    package func isEqual(_ place: Int, _ first: Int, _ second: Int) -> Bool {
        let (one, other) = (self.range(of: place, in: first), self.range(of: place, in: second))
        return self.bytes.withUnsafeBytes { bytes in
            bytes.slice(one.lowerBound, one.upperBound).isSame(as: bytes.slice(other.lowerBound, other.upperBound))
        }
    }

    // MARK: Filling

    mutating func open() {
        self.masks.append(0)
        self.places.append(contentsOf: repeatElement((start: 0, end: 0), count: Self.names.count))
    }

    private mutating func close(_ place: Int, _ start: Int) {
        let record = self.masks.count - 1
        self.masks[record] |= 1 << UInt64(place)
        self.places[record * Self.names.count + place] = (UInt32(start), UInt32(self.bytes.count))
    }

    /// Fills a place of the open record with what `fill` appends.
    mutating func set(_ attribute: ToldAttribute, _ fill: (inout [UInt8]) -> Void) {
        let start = self.bytes.count
        fill(&self.bytes)
        self.close(Self.requestAttributeCount + attribute.rawValue, start)
    }

    mutating func set(_ attribute: ToldAttribute, text: String) {
        self.set(attribute) { $0.append(contentsOf: text.utf8) }
    }

    mutating func set(_ attribute: ToldAttribute, truth: Bool) { self.set(attribute) { $0.append(truth ? 1 : 0) } }

    mutating func set(_ attribute: ToldAttribute, _ number: Int64) {
        self.set(attribute) { bytes in
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
    }

    mutating func set(_ attribute: ToldAttribute, _ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.set(attribute, seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// Fills what a proxy reads of a request or connection, which began at `milliseconds` since 1970.
    mutating func add(_ attributes: RequestAttributes, at milliseconds: Int64) {
        for (place, attribute) in Self.requestAttributes.enumerated() {
            let start = self.bytes.count
            if attributes.append(attribute, to: &self.bytes) { self.close(place, start) }
        }
        self.set(.contextTime, milliseconds)
        if attributes.isConnection { return }
        self.set(.requestTime, milliseconds)
        self.set(.requestHeaders) { attributes.appendHeaders(to: &$0) }
        let claims = attributes.claimMap
        if !claims.isEmpty { self.set(.claims) { $0.appendMap(claims) } }
        if attributes.hasParameters { self.set(.queryParameters) { attributes.appendParameters(to: &$0) } }
    }

    // MARK: Values

    /// The attributes of a record by name, over those that the settings say.
    func values(of record: Int, over fixed: [String: MixerValue]) -> [String: MixerValue] {
        var values = fixed
        for place in Self.names.indices where self.masks[record] >> UInt64(place) & 1 == 1 {
            let bytes = self.bytes[self.range(of: place, in: record)]
            values[Self.names[place]] =
                switch Self.kinds[place] {
                case .text: .text(String(decoding: bytes, as: UTF8.self))
                case .bytes: .bytes(Array(bytes))
                case .truth: .truth(bytes.first == 1)
                case .number: .number(Self.number(bytes))
                case .moment: .moment(milliseconds: Self.number(bytes))
                case .duration: .duration(.nanoseconds(Self.number(bytes)))
                case .map: .map(Self.map(bytes))
                }
        }
        return values
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 {
        bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
    }

    private static func map(_ bytes: ArraySlice<UInt8>) -> [String: String] {
        var rest = bytes
        func part() -> String? {
            guard rest.count >= 4 else { return nil }
            let count = Int(Self.number(rest.prefix(4)))
            rest = rest.dropFirst(4)
            defer { rest = rest.dropFirst(count) }
            return String(decoding: rest.prefix(count), as: UTF8.self)
        }
        var entries: [String: String] = [:]
        while let name = part(), let value = part() { entries[name] = value }
        return entries
    }
}
