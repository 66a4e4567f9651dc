internal import MeshModel
internal import TrafficEngine

/// Header values that a line will need when the exchange is over, copied out of buffers that will be gone by then.
struct CapturedValues {
    private var bytes: [UInt8] = []
    private var ranges: [Range<Int>?] = []

    mutating func reset() {
        self.bytes.removeAll(keepingCapacity: true)
        self.ranges.removeAll(keepingCapacity: true)
    }

    mutating func append(_ value: UnsafeRawBufferPointer?) {
        guard let value else {
            self.ranges.append(nil)
            return
        }
        let start = self.bytes.count
        self.bytes.append(contentsOf: value)
        self.ranges.append(start..<self.bytes.count)
    }

    /// Appends the value at `index`, or `-`.
    func write(_ index: Int, bytesMax: Int, to line: inout [UInt8]) {
        guard index < self.ranges.count, let range = self.ranges[index], !range.isEmpty else {
            line.append(UInt8(ascii: "-"))
            return
        }
        line.append(contentsOf: self.bytes[range.prefix(bytesMax)])
    }
}

/// What a line says beside header values.
struct LogRecord {
    enum ProtocolName { case none, http10, http11, http2 }

    /// Wall clock, milliseconds since 1970.
    var startMilliseconds: Int
    var protocolName = ProtocolName.none
    /// 0: no response.
    var status = 0
    var reason = EndReason.completed
    /// Says more than `reason`: which policy denied.
    var details: String?
    var retriesExhausted = false
    var bytesReceived = 0
    var bytesSent = 0
    var durationMilliseconds = 0
    /// Until the response's first byte came from the upstream.
    var responseMilliseconds: Int?
    var serviceMilliseconds: Int?
    var upstreamHost: NetworkAddress?
    var upstreamLocal: NetworkAddress?
    var clusterName: String?
    var downstreamLocal: NetworkAddress?
    var downstreamRemote: NetworkAddress?
    var serverName: String?
    var routeName: String?
    /// Why TLS with the endpoint failed, or no connection could be made.
    var upstreamFailure: String?
    /// Why TLS with the client failed.
    var downstreamFailure: String?
    /// Why the connection was ended by us (a policy's verdict).
    var terminationDetails: String?
    var peer: PeerIdentity?
    var localURI: String?
    var tlsVersion: StaticString?
    /// Subject of the endpoint's certificate.
    var upstreamPeer: String?
}

extension LogFormat {
    /// Appends the line for `record`; values that are missing are `-` (facts #68).
    func write(
        _ record: LogRecord,
        request: borrowing CapturedValues,
        response: borrowing CapturedValues,
        to line: inout [UInt8]
    ) {
        for element in self.elements {
            switch element {
            case .literal(let text): line.append(contentsOf: text)
            case .startTime: WallClock.write(milliseconds: record.startMilliseconds, to: &line)
            case .protocolName:
                switch record.protocolName {
                case .none: line.append(UInt8(ascii: "-"))
                case .http10: line.append(text: "HTTP/1.0")
                case .http11: line.append(text: "HTTP/1.1")
                case .http2: line.append(text: "HTTP/2")
                }
            case .responseCode: line.append(decimal: record.status)
            case .responseFlags:
                let flag = record.reason.responseFlag
                if !record.retriesExhausted {
                    line.append(contentsOf: flag.utf8)
                } else {
                    line.append(contentsOf: flag == "-" ? "URX".utf8 : "\(flag),URX".utf8)
                }
            case .responseCodeDetails:
                line.append(contentsOf: (record.details ?? record.reason.responseDetails ?? "-").utf8)
            case .connectionTerminationDetails: line.append(name: record.terminationDetails ?? record.downstreamFailure)
            case .upstreamTransportFailureReason: line.append(name: record.upstreamFailure)
            case .downstreamTransportFailureReason: line.append(name: record.downstreamFailure)
            case .downstreamPeerURI: line.append(names: record.peer?.uris)
            case .downstreamPeerDNS: line.append(names: record.peer?.dnsNames)
            case .downstreamPeerSubject: line.append(name: record.peer?.subject)
            case .downstreamPeerHash: line.append(name: record.peer?.hash)
            case .downstreamLocalURI: line.append(name: record.localURI)
            case .downstreamTLSVersion:
                if let version = record.tlsVersion {
                    line.append(text: version)
                } else {
                    line.append(UInt8(ascii: "-"))
                }
            case .upstreamPeerSubject: line.append(name: record.upstreamPeer)
            case .unknown: line.append(UInt8(ascii: "-"))
            case .bytesReceived: line.append(decimal: record.bytesReceived)
            case .bytesSent: line.append(decimal: record.bytesSent)
            case .duration: line.append(decimal: record.durationMilliseconds)
            case .responseDuration: line.append(optional: record.responseMilliseconds)
            case .upstreamServiceTime: line.append(optional: record.serviceMilliseconds)
            case .requestHeader(let index, let bytesMax): request.write(index, bytesMax: bytesMax, to: &line)
            case .responseHeader(let index, let bytesMax): response.write(index, bytesMax: bytesMax, to: &line)
            case .upstreamHost: line.append(record.upstreamHost)
            case .upstreamCluster: line.append(name: record.clusterName)
            case .upstreamLocalAddress: line.append(record.upstreamLocal)
            case .downstreamLocalAddress: line.append(record.downstreamLocal)
            case .downstreamRemoteAddress(let withPort):
                line.append(record.downstreamRemote, withPort: withPort)
            case .requestedServerName: line.append(name: record.serverName)
            case .routeName: line.append(name: record.routeName)
            }
        }
    }
}

extension EndReason {
    /// Envoy's `RESPONSE_CODE_DETAILS`.
    var responseDetails: String? {
        switch self {
        case .completed: "via_upstream"
        case .answeredByRoute, .blockedHost: "direct_response"
        case .noRoute: "route_not_found"
        case .noCluster: "cluster_not_found"
        case .noHealthyEndpoint, .blockedAddress: "no_healthy_upstream"
        case .blockedUnresolvedAddress: "dns_bound_egress{address_not_from_dns}"
        case .blockedUnresolvedName: "dns_bound_egress{name_not_of_address}"
        case .connectFailed: "upstream_reset_before_response_started{connection_failure}"
        case .connectTimedOut: "upstream_reset_before_response_started{connection_timeout}"
        case .upstreamReset: "upstream_reset_before_response_started{remote_reset}"
        case .upstreamClosed: "upstream_reset_before_response_started{connection_termination}"
        case .upstreamProtocolError: "upstream_reset_before_response_started{protocol_error}"
        case .upstreamNameUnresolved: "dns_resolution_failure"
        case .requestTimedOut: "response_timeout"
        case .streamIdle: "stream_idle_timeout"
        case .retriesExhausted: "retry_limit_exceeded"
        case .overflow: "upstream_reset_before_response_started{overflow}"
        case .downstreamClosed, .downstreamReset: "downstream_remote_disconnect"
        case .downstreamProtocolError: "http1.codec_error"
        case .headTooLarge: "request_headers_too_large"
        case .bodyTooLarge: "request_payload_too_large"
        case .headTimedOut: "request_header_timeout"
        case .idleTimedOut: "idle_timeout"
        case .loopDetected: "loop_detected"
        case .deniedByPolicy: "rbac_access_denied"
        case .deniedByToken: "jwt_authn_access_denied"
        case .deniedByProvider: "ext_authz_denied"
        case .providerFailed: "ext_authz_error"
        case .deniedByMixer: "mixer_denied"
        case .mixerFailed: "mixer_unavailable"
        case .downstreamTLSFailed: "downstream_tls_failed"
        case .upstreamTLSFailed: "upstream_reset_before_response_started{connection_failure}"
        case .noSecret: "tls_secret_missing"
        case .misdirected: "misdirected_request"
        case .shutdown: nil
        }
    }
}

extension [UInt8] {
    mutating func append(text: StaticString) {
        self.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(decimal value: Int) {
        if value < 0 { self.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = self.count
        repeat {
            self.append(UInt8(truncatingIfNeeded: rest % 10) + 48)
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    fileprivate mutating func append(optional value: Int?) {
        if let value { self.append(decimal: value) } else { self.append(UInt8(ascii: "-")) }
    }

    fileprivate mutating func append(name: String?) {
        guard let name, !name.isEmpty else {
            self.append(UInt8(ascii: "-"))
            return
        }
        // Some names come from a peer's certificate: none may end the line or a quoted part of it.
        self.append(contentsOf: name.utf8.lazy.map { $0 < 0x20 || $0 == 0x7F || $0 == 0x22 ? UInt8(ascii: "_") : $0 })
    }

    /// Names of a certificate: what a peer wrote into it must not break the line.
    fileprivate mutating func append(names: [String]?) {
        self.append(name: names.map { $0.joined(separator: ",") })
    }

    mutating func append(_ address: NetworkAddress?, withPort: Bool = true) {
        guard let address else {
            self.append(UInt8(ascii: "-"))
            return
        }
        switch address.ip {
        case .v4(let bits):
            for shift in [24, 16, 8, 0] as [UInt32] {
                self.append(decimal: Int(bits >> shift & 255))
                if shift > 0 { self.append(UInt8(ascii: ".")) }
            }
        case .v6:
            if withPort { self.append(UInt8(ascii: "[")) }
            self.append(contentsOf: address.ip.description.utf8)
            if withPort { self.append(UInt8(ascii: "]")) }
        }
        if withPort {
            self.append(UInt8(ascii: ":"))
            self.append(decimal: Int(address.port))
        }
    }
}
