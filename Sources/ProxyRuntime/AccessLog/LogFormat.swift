/// An access log line, compiled once from Envoy's format string.
package struct LogFormat: Sendable {
    /// Istio 1.0's line (Envoy's default).
    package static let defaultText =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
        + "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
        + "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
        + "\"%UPSTREAM_HOST%\"\n"

    enum Element: Sendable {
        case literal([UInt8])
        case startTime
        case protocolName
        case responseCode
        case responseFlags
        case responseCodeDetails
        case connectionTerminationDetails
        case upstreamTransportFailureReason
        case downstreamTransportFailureReason
        case downstreamPeerURI
        case downstreamPeerDNS
        case downstreamPeerSubject
        case downstreamPeerHash
        case downstreamLocalURI
        case downstreamTLSVersion
        case upstreamPeerSubject
        /// Of Envoy's operators, those whose value the TLS library does not tell.
        case unknown
        case bytesReceived
        case bytesSent
        case duration
        case responseDuration
        case upstreamServiceTime
        /// An index into `requestHeaders`.
        case requestHeader(Int, bytesMax: Int)
        /// An index into `responseHeaders`.
        case responseHeader(Int, bytesMax: Int)
        case upstreamHost
        case upstreamCluster
        case upstreamLocalAddress
        case downstreamLocalAddress
        case downstreamRemoteAddress(withPort: Bool)
        case requestedServerName
        case routeName
    }

    /// A header by name, and another one if it is absent; in lower case.
    struct HeaderName: Sendable, Hashable {
        var name: [UInt8]
        var alternative: [UInt8]
    }

    private(set) var elements: [Element] = []
    private(set) var requestHeaders: [HeaderName] = []
    private(set) var responseHeaders: [HeaderName] = []

    /// A format string that cannot be compiled.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        /// The operator, as written.
        package var operatorText: String
        package var problem: String

        package var description: String { "access log format: \(self.problem): \(self.operatorText)" }
    }

    /// Compiles `text`; empty: the default line.
    package init(_ text: String) throws {
        let source = Array((text.isEmpty ? Self.defaultText : text).utf8)
        var literal: [UInt8] = []
        var index = 0
        while index < source.count {
            guard source[index] == UInt8(ascii: "%") else {
                literal.append(source[index])
                index += 1
                continue
            }
            if index + 1 < source.count, source[index + 1] == UInt8(ascii: "%") {
                literal.append(UInt8(ascii: "%"))
                index += 2
                continue
            }
            if !literal.isEmpty { self.elements.append(.literal(literal)) }
            literal.removeAll()
            let end = Self.operatorEnd(source, from: index + 1)
            let name = String(decoding: source[(index + 1)..<(end ?? source.count)], as: UTF8.self)
            guard let end else { throw Fault(operatorText: "%" + name, problem: "operator without a closing %") }
            self.elements.append(try self.element(name))
            index = end + 1
        }
        if !literal.isEmpty { self.elements.append(.literal(literal)) }
    }

    /// Where the closing `%` stands; one inside parentheses does not close.
    private static func operatorEnd(_ source: [UInt8], from start: Int) -> Int? {
        var depth = 0
        for index in start..<max(start, source.count) {
            switch source[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "%") where depth <= 0: return index
            default: ()
            }
        }
        return nil
    }

    private mutating func element(_ text: String) throws -> Element {
        switch text {
        case "START_TIME": return .startTime
        case "PROTOCOL": return .protocolName
        case "RESPONSE_CODE": return .responseCode
        case "RESPONSE_FLAGS": return .responseFlags
        case "RESPONSE_CODE_DETAILS": return .responseCodeDetails
        case "CONNECTION_TERMINATION_DETAILS": return .connectionTerminationDetails
        case "UPSTREAM_TRANSPORT_FAILURE_REASON": return .upstreamTransportFailureReason
        case "DOWNSTREAM_TRANSPORT_FAILURE_REASON": return .downstreamTransportFailureReason
        case "DOWNSTREAM_PEER_URI_SAN": return .downstreamPeerURI
        case "DOWNSTREAM_PEER_DNS_SAN": return .downstreamPeerDNS
        case "DOWNSTREAM_PEER_SUBJECT": return .downstreamPeerSubject
        case "DOWNSTREAM_PEER_FINGERPRINT_256": return .downstreamPeerHash
        case "DOWNSTREAM_LOCAL_URI_SAN": return .downstreamLocalURI
        case "DOWNSTREAM_TLS_VERSION": return .downstreamTLSVersion
        case "UPSTREAM_PEER_SUBJECT": return .upstreamPeerSubject
        case "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_CIPHER": return .unknown
        case "BYTES_RECEIVED": return .bytesReceived
        case "BYTES_SENT": return .bytesSent
        case "DURATION": return .duration
        case "RESPONSE_DURATION": return .responseDuration
        case "UPSTREAM_HOST", "UPSTREAM_REMOTE_ADDRESS": return .upstreamHost
        case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW": return .upstreamCluster
        case "UPSTREAM_LOCAL_ADDRESS": return .upstreamLocalAddress
        case "DOWNSTREAM_LOCAL_ADDRESS": return .downstreamLocalAddress
        case "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS":
            return .downstreamRemoteAddress(withPort: true)
        case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT":
            return .downstreamRemoteAddress(withPort: false)
        case "REQUESTED_SERVER_NAME": return .requestedServerName
        case "ROUTE_NAME": return .routeName
        default: return try self.headerElement(text)
        }
    }

    /// `REQ(X?Y):N` or `RESP(X?Y):N`.
    private mutating func headerElement(_ text: String) throws -> Element {
        let isRequest = text.hasPrefix("REQ(")
        guard isRequest || text.hasPrefix("RESP("), let open = text.firstIndex(of: "("),
            let close = text.lastIndex(of: ")")
        else { throw Fault(operatorText: "%\(text)%", problem: "unknown operator") }
        var bytesMax = Int.max
        let rest = text[text.index(after: close)...]
        if !rest.isEmpty {
            guard rest.first == ":", let number = Int(rest.dropFirst()), number > 0 else {
                throw Fault(operatorText: "%\(text)%", problem: "bad length limit")
            }
            bytesMax = number
        }
        let names = text[text.index(after: open)..<close].lowercased()
            .split(separator: "?", omittingEmptySubsequences: false)
        guard (1...2).contains(names.count), names.allSatisfy({ !$0.isEmpty }) else {
            throw Fault(operatorText: "%\(text)%", problem: "bad header name")
        }
        let header = HeaderName(name: Array(names[0].utf8), alternative: names.count > 1 ? Array(names[1].utf8) : [])
        if isRequest {
            self.requestHeaders.append(header)
            return .requestHeader(self.requestHeaders.count - 1, bytesMax: bytesMax)
        }
        if header.name == Array("x-envoy-upstream-service-time".utf8) { return .upstreamServiceTime }
        self.responseHeaders.append(header)
        return .responseHeader(self.responseHeaders.count - 1, bytesMax: bytesMax)
    }
}
