/// Why a connection or a request ended; every one ends with exactly one of these.
///
/// Response flag, metric label and access log all come from here (Envoy's flags: facts 1b "Response flags").
package enum EndReason: String, Hashable, Sendable, CaseIterable {
    /// A response came through, or a connection was closed by one of its ends in order.
    case completed
    /// The proxy answered by itself as its routes say (redirect, direct response).
    case answeredByRoute = "direct_response"
    /// HTTP to a host that the registry does not know.
    case blockedHost = "blocked_unknown_host"
    /// A connection to an address that the registry does not know.
    case blockedAddress = "blocked_unknown_address"
    /// DNS-bound egress: to an address that the workload's DNS did not give it for a name that it may reach.
    case blockedUnresolvedAddress = "blocked_address_not_from_dns"
    /// DNS-bound egress: for a host or server name that the workload had not looked up to get the address.
    case blockedUnresolvedName = "blocked_name_not_of_address"
    case noRoute = "no_route"
    case noCluster = "no_cluster"
    case noHealthyEndpoint = "no_healthy_endpoint"
    case connectFailed = "upstream_connect_failed"
    case connectTimedOut = "upstream_connect_timeout"
    case upstreamReset = "upstream_reset"
    case upstreamClosed = "upstream_closed_before_response"
    case upstreamProtocolError = "upstream_protocol_error"
    case upstreamNameUnresolved = "upstream_dns_failure"
    case requestTimedOut = "request_timeout"
    case streamIdle = "stream_idle_timeout"
    case retriesExhausted = "upstream_retries_exhausted"
    case overflow = "upstream_overflow"
    case downstreamClosed = "downstream_closed"
    case downstreamReset = "downstream_reset"
    case downstreamProtocolError = "downstream_protocol_error"
    case headTooLarge = "request_head_too_large"
    /// A service must see all of the body, and it is longer than that service takes (413).
    case bodyTooLarge = "request_body_too_large"
    case headTimedOut = "request_head_timeout"
    case idleTimedOut = "idle_timeout"
    case loopDetected = "loop_detected"
    /// An AuthorizationPolicy said no.
    case deniedByPolicy = "denied_by_policy"
    /// A token was wrong, or none was given where one is needed.
    case deniedByToken = "denied_by_token"
    /// A service that was asked said no (CUSTOM).
    case deniedByProvider = "denied_by_provider"
    /// A service that has to be asked could not be.
    case providerFailed = "authorization_provider_failed"
    /// The policy engine (Mixer) said no.
    case deniedByMixer = "denied_by_policy_engine"
    /// The policy engine could not be asked.
    case mixerFailed = "policy_engine_failed"
    /// The client's TLS handshake did not succeed.
    case downstreamTLSFailed = "downstream_tls_failed"
    /// The endpoint's TLS handshake did not succeed, or its certificate was refused.
    case upstreamTLSFailed = "upstream_tls_failed"
    /// A secret that TLS needs has not been received.
    case noSecret = "tls_secret_missing"
    /// HTTP/2 for a host that this connection's certificate does not stand for (421).
    case misdirected = "misdirected_request"
    case shutdown

    /// DNS-bound egress blocked it.
    package var isOfDNSBinding: Bool { self == .blockedUnresolvedAddress || self == .blockedUnresolvedName }

    /// Envoy's response flag; `-` if there is none.
    package var responseFlag: String {
        switch self {
        case .completed, .answeredByRoute, .idleTimedOut, .shutdown: "-"
        // Istio logs blocked HTTP as a direct response; the connection counterpart has no healthy upstream.
        case .blockedHost: "-"
        case .blockedAddress, .noHealthyEndpoint: "UH"
        case .noRoute, .loopDetected: "NR"
        case .noCluster: "NC"
        case .connectFailed, .connectTimedOut, .upstreamTLSFailed: "UF"
        case .deniedByPolicy, .deniedByToken, .downstreamTLSFailed, .noSecret, .misdirected, .bodyTooLarge: "-"
        case .deniedByProvider, .providerFailed, .deniedByMixer, .mixerFailed, .blockedUnresolvedAddress,
            .blockedUnresolvedName:
            "UAEX"
        case .upstreamReset: "UR"
        case .upstreamClosed: "UC"
        case .upstreamProtocolError: "UPE"
        case .upstreamNameUnresolved: "DF"
        case .requestTimedOut: "UT"
        case .streamIdle: "SI"
        case .retriesExhausted: "URX"
        case .overflow: "UO"
        case .downstreamClosed, .downstreamReset: "DC"
        case .downstreamProtocolError, .headTooLarge, .headTimedOut: "DPE"
        }
    }
}
