/// Which fields of which messages we act on: the one place that says what of Envoy's API is supported.
///
/// After a field's number: `+` acted on, `~` accepted without effect on what is forwarded where (statistics, buffers,
/// hints of other implementations), `-` refused by name. After `:` stands the message that the field holds. A message
/// without a row is not looked into.
struct SupportedFields: Sendable {
    enum Use: Sendable { case used, ignored, refused }

    struct Field: Sendable {
        var number: Int
        var name: String
        var use: Use
        /// The message type it holds, `Any` included; only for fields that are used.
        var message: String?
    }

    struct Row: Sendable {
        var fields: [Field] = []

        func field(_ number: Int) -> Field? { self.fields.first { $0.number == number } }
        func field(named name: String) -> Field? { self.fields.first { $0.name == name } }
        /// Names that can be used, for messages to people.
        var supported: String { self.fields.filter { $0.use == .used }.map(\.name).joined(separator: ", ") }
    }

    private let rows: [String: Row]

    subscript(_ message: String) -> Row? { self.rows[message] }

    static let all = SupportedFields(Self.arriving + "\n" + Self.leaving)

    private init(_ table: String) {
        var rows: [String: Row] = [:]
        var current = ""
        for line in table.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            if line.first != UInt8(ascii: " "), let name = words.first {
                current = String(Substring(name))
                rows[current] = Row()
                continue
            }
            rows[current]?.fields += words.compactMap(Self.field)
        }
        self.rows = rows
    }

    /// `12+name:message`
    private static func field(_ word: Substring.UTF8View.SubSequence) -> Field? {
        let digits = word.prefix { (48...57).contains($0) }
        let rest = word.dropFirst(digits.count)
        guard let number = Int(Substring(digits)), let mark = rest.first else { return nil }
        let parts = rest.dropFirst().split(separator: UInt8(ascii: ":"), maxSplits: 1)
        guard let name = parts.first else { return nil }
        return Field(
            number: number,
            name: String(Substring(name)),
            use: mark == UInt8(ascii: "+") ? .used : mark == UInt8(ascii: "~") ? .ignored : .refused,
            message: parts.count > 1 ? String(Substring(parts[1])) : nil
        )
    }

    /// Of what takes connections and requests, and of the filters that they pass.
    private static let arriving = """
        envoy.config.listener.v3.Listener
            1+name 2+address:envoy.config.core.v3.Address 3+filter_chains:envoy.config.listener.v3.FilterChain
            4+use_original_dst 5~per_connection_buffer_limit_bytes 6+metadata
            7+deprecated_v1:envoy.config.listener.v3.Listener.DeprecatedV1 8~drain_type
            9+listener_filters:envoy.config.listener.v3.ListenerFilter 10-transparent 11-freebind
            12-tcp_fast_open_queue_length 13-socket_options 15+listener_filters_timeout 16+traffic_direction
            17~continue_on_listener_filters_timeout 20~connection_balance_config 21~reuse_port 22-access_log
            24~tcp_backlog_size 25+default_filter_chain:envoy.config.listener.v3.FilterChain 26+bind_to_port
            28~stat_prefix 29~enable_reuse_port 33-additional_addresses
        envoy.config.listener.v3.Listener.DeprecatedV1
            1+bind_to_port
        envoy.config.listener.v3.FilterChain
            1+filter_chain_match:envoy.config.listener.v3.FilterChainMatch 3+filters:envoy.config.listener.v3.Filter
            4-use_proxy_proto 5~metadata 6+transport_socket:envoy.config.core.v3.TransportSocket 7+name
            9~transport_socket_connect_timeout
        envoy.config.listener.v3.FilterChainMatch
            3+prefix_ranges:envoy.config.core.v3.CidrRange 4-address_suffix 5-suffix_len
            6+source_prefix_ranges:envoy.config.core.v3.CidrRange 7-source_ports 8+destination_port
            9+transport_protocol 10+application_protocols 11+server_names 12-source_type
            13-direct_source_prefix_ranges
        envoy.config.listener.v3.Filter
            1+name 4+typed_config:Any
        envoy.config.listener.v3.ListenerFilter
            1+name 3+typed_config:Any
            4+filter_disabled:envoy.config.listener.v3.ListenerFilterChainMatchPredicate
        envoy.config.listener.v3.ListenerFilterChainMatchPredicate
            1+or_match:envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet
            2+and_match:envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet
            3+not_match:envoy.config.listener.v3.ListenerFilterChainMatchPredicate 4+any_match
            5+destination_port_range:envoy.type.v3.Int32Range
        envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet
            1+rules:envoy.config.listener.v3.ListenerFilterChainMatchPredicate
        envoy.type.v3.Int32Range
            1+start 2+end
        envoy.config.core.v3.Address
            1+socket_address:envoy.config.core.v3.SocketAddress 2-pipe 3-envoy_internal_address
        envoy.config.core.v3.SocketAddress
            1+protocol 2+address 3+port_value 4-named_port 5-resolver_name 6~ipv4_compat
        envoy.config.core.v3.CidrRange
            1+address_prefix 2+prefix_len
        envoy.config.core.v3.TransportSocket
            1+name 3+typed_config:Any
        envoy.config.core.v3.BindConfig
            1+source_address:envoy.config.core.v3.SocketAddress 2~freebind 3-socket_options
        envoy.config.core.v3.DataSource
            1+filename 2+inline_bytes 3+inline_string 4-environment_variable 5-watched_directory
        envoy.config.core.v3.HeaderValueOption
            1+header:envoy.config.core.v3.HeaderValue 2+append 3+append_action 4~keep_empty_value
        envoy.config.core.v3.HeaderValue
            1+key 2+value 3+raw_value
        envoy.config.core.v3.SubstitutionFormatString
            1+text_format 2-json_format 3~omit_empty_values 4-content_type
            5+text_format_source:envoy.config.core.v3.DataSource 6-formatters
        envoy.config.core.v3.HttpProtocolOptions
            1+idle_timeout 2~max_headers_count 3-max_connection_duration 4-max_stream_duration
            5~headers_with_underscores_action 6+max_requests_per_connection 7~max_response_headers_kb
        envoy.config.core.v3.UpstreamHttpProtocolOptions
            1+auto_sni 2+auto_san_validation 3-override_auto_sni_header
        envoy.config.core.v3.Http1ProtocolOptions
            1~allow_absolute_url 2-accept_http_10 3-default_host_for_http_10 4-header_key_format 5-enable_trailers
            6-allow_chunked_length 7~override_stream_error_on_invalid_http_message 8-send_fully_qualified_url
        envoy.config.core.v3.Http2ProtocolOptions
            1~hpack_table_size 2+max_concurrent_streams 3+initial_stream_window_size 4+initial_connection_window_size
            5-allow_connect 7~max_outbound_frames 8~max_outbound_control_frames
            14~override_stream_error_on_invalid_http_message 15~connection_keepalive
        envoy.config.core.v3.RuntimeFractionalPercent
            1+default_value:envoy.type.v3.FractionalPercent 2~runtime_key
        envoy.type.v3.FractionalPercent
            1+numerator 2+denominator
        envoy.config.core.v3.TypedExtensionConfig
            1+name 2+typed_config:Any
        envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
            1+codec_type 2+stat_prefix 3+rds:envoy.extensions.filters.network.http_connection_manager.v3.Rds
            4+route_config:envoy.config.route.v3.RouteConfiguration
            5+http_filters:envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter 6~add_user_agent
            7~tracing 8~http_protocol_options 9+http2_protocol_options:envoy.config.core.v3.Http2ProtocolOptions
            10~server_name 12~drain_timeout
            13+access_log:envoy.config.accesslog.v3.AccessLog 14+use_remote_address 15+generate_request_id
            16+forward_client_cert_details
            17+set_current_client_cert_details:envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails
            18~proxy_100_continue
            19+xff_num_trusted_hops 20-represent_ipv4_remote_address_as_ipv4_mapped_ipv6 21+skip_xff_append 22-via
            23+upgrade_configs:envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig
            24+stream_idle_timeout 25~internal_address_config 26~delayed_close_timeout 28-request_timeout
            29+max_request_headers_kb 30+normalize_path 32~preserve_external_request_id 33~merge_slashes
            34~server_header_transformation 35+common_http_protocol_options:envoy.config.core.v3.HttpProtocolOptions
            36~request_id_extension 37~always_set_request_id_in_response 38-local_reply_config
            39-strip_matching_host_port 40~stream_error_on_invalid_http_message 41+request_headers_timeout
            42-strip_any_host_port 43-path_normalization_options 45~path_with_escaped_slashes_action
            47~strip_trailing_host_dot 48-scheme_header_transformation 51-append_x_forwarded_port
            54~access_log_flush_interval 55-flush_access_log_on_new_request 56~access_log_options
        envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails
            1+subject 3+cert 4+dns 5+uri 6+chain
        envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig
            1+upgrade_type 2-filters 3+enabled
        envoy.extensions.filters.network.http_connection_manager.v3.Rds
            1~config_source 2+route_config_name
        envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter
            1+name 4+typed_config:Any 6~is_optional 7~disabled
        envoy.extensions.filters.http.cors.v3.Cors
        envoy.extensions.filters.http.cors.v3.CorsPolicy
            1+allow_origin_string_match:envoy.type.matcher.v3.StringMatcher 2+allow_methods 3+allow_headers
            4+expose_headers 5+max_age 6+allow_credentials 7-filter_enabled 8-shadow_enabled
            9-allow_private_network_access 10+forward_not_matching_preflights
        envoy.extensions.filters.http.router.v3.Router
            1~dynamic_stats 2~start_child_span 3~upstream_log 4~suppress_envoy_headers 5~strict_check_headers
            6~respect_expected_rq_timeout 7~suppress_grpc_request_failure_code_stats
        envoy.extensions.filters.http.rbac.v3.RBAC
            1+rules:envoy.config.rbac.v3.RBAC 2+shadow_rules:envoy.config.rbac.v3.RBAC 3+shadow_rules_stat_prefix
            6~rules_stat_prefix 7~track_per_rule_stats
        envoy.extensions.filters.network.rbac.v3.RBAC
            1+rules:envoy.config.rbac.v3.RBAC 2+shadow_rules:envoy.config.rbac.v3.RBAC 3~stat_prefix
            4~enforcement_type 5+shadow_rules_stat_prefix 8~delay_deny
        envoy.config.rbac.v3.RBAC
            1+action 2+policies
        envoy.config.rbac.v3.Policy
            1+permissions:envoy.config.rbac.v3.Permission 2+principals:envoy.config.rbac.v3.Principal
        envoy.config.rbac.v3.Permission
            1+and_rules:envoy.config.rbac.v3.Permission.Set 2+or_rules:envoy.config.rbac.v3.Permission.Set 3+any
            4+header:envoy.config.route.v3.HeaderMatcher 5+destination_ip:envoy.config.core.v3.CidrRange
            6+destination_port 7+metadata:envoy.type.matcher.v3.MetadataMatcher
            8+not_rule:envoy.config.rbac.v3.Permission 9+requested_server_name:envoy.type.matcher.v3.StringMatcher
            10+url_path:envoy.type.matcher.v3.PathMatcher 11+destination_port_range 14-sourced_metadata
        envoy.config.rbac.v3.Permission.Set
            1+rules:envoy.config.rbac.v3.Permission
        envoy.config.rbac.v3.Principal
            1+and_ids:envoy.config.rbac.v3.Principal.Set 2+or_ids:envoy.config.rbac.v3.Principal.Set 3+any
            4+authenticated:envoy.config.rbac.v3.Principal.Authenticated 5+source_ip:envoy.config.core.v3.CidrRange
            6+header:envoy.config.route.v3.HeaderMatcher 7+metadata:envoy.type.matcher.v3.MetadataMatcher
            8+not_id:envoy.config.rbac.v3.Principal 9+url_path:envoy.type.matcher.v3.PathMatcher
            10+direct_remote_ip:envoy.config.core.v3.CidrRange 11+remote_ip:envoy.config.core.v3.CidrRange
            12-filter_state 13-sourced_metadata
        envoy.config.rbac.v3.Principal.Set
            1+ids:envoy.config.rbac.v3.Principal
        envoy.config.rbac.v3.Principal.Authenticated
            2+principal_name:envoy.type.matcher.v3.StringMatcher
        envoy.type.matcher.v3.PathMatcher
            1+path:envoy.type.matcher.v3.StringMatcher
        envoy.type.matcher.v3.MetadataMatcher
            1+filter 2+path:envoy.type.matcher.v3.MetadataMatcher.PathSegment
            3+value:envoy.type.matcher.v3.ValueMatcher 4+invert
        envoy.type.matcher.v3.MetadataMatcher.PathSegment
            1+key
        envoy.type.matcher.v3.ValueMatcher
            1-null_match 2-double_match 3+string_match:envoy.type.matcher.v3.StringMatcher 4-bool_match 5-present_match
            6+list_match:envoy.type.matcher.v3.ListMatcher 7+or_match:envoy.type.matcher.v3.OrMatcher
        envoy.type.matcher.v3.ListMatcher
            1+one_of:envoy.type.matcher.v3.ValueMatcher
        envoy.type.matcher.v3.OrMatcher
            1+value_matchers:envoy.type.matcher.v3.ValueMatcher
        envoy.type.matcher.v3.ListStringMatcher
            1+patterns:envoy.type.matcher.v3.StringMatcher
        envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
            1+providers 2+rules:envoy.extensions.filters.http.jwt_authn.v3.RequirementRule 3-filter_state_rules
            4~bypass_cors_preflight 5+requirement_map 6~strip_failure_response 7~stat_prefix
        envoy.extensions.filters.http.jwt_authn.v3.RequirementRule
            1+match:envoy.config.route.v3.RouteMatch 2+requires:envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement
            3+requirement_name
        envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement
            1+provider_name 2-provider_and_audiences
            3+requires_any:envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementOrList
            4+requires_all:envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementAndList 5-allow_missing_or_failed
            6+allow_missing
        envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementOrList
            1+requirements:envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement
        envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementAndList
            1+requirements:envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement
        envoy.extensions.filters.http.jwt_authn.v3.JwtProvider
            1+issuer 2+audiences 3+remote_jwks:envoy.extensions.filters.http.jwt_authn.v3.RemoteJwks
            4+local_jwks:envoy.config.core.v3.DataSource 5+forward
            6+from_headers:envoy.extensions.filters.http.jwt_authn.v3.JwtHeader 7+from_params 8+forward_payload_header
            9+payload_in_metadata 10-clock_skew_seconds 11-pad_forward_payload_header 12~jwt_cache_config 13+from_cookies
            14~header_in_metadata 15+claim_to_headers:envoy.extensions.filters.http.jwt_authn.v3.JwtClaimToHeader
            16~failed_status_in_metadata 17~clear_route_cache
            18+normalize_payload_in_metadata:envoy.extensions.filters.http.jwt_authn.v3.JwtProvider.NormalizePayload
            19-subjects 20-require_expiration 21-max_lifetime
        envoy.extensions.filters.http.jwt_authn.v3.JwtProvider.NormalizePayload
            1+space_delimited_claims
        envoy.extensions.filters.http.jwt_authn.v3.JwtHeader
            1+name 2+value_prefix
        envoy.extensions.filters.http.jwt_authn.v3.JwtClaimToHeader
            1+header_name 2+claim_name
        envoy.extensions.filters.http.jwt_authn.v3.RemoteJwks
            1+http_uri:envoy.config.core.v3.HttpUri 2+cache_duration 3~async_fetch 4~retry_policy
        envoy.config.core.v3.HttpUri
            1+uri 2+cluster 3+timeout
        envoy.config.core.v3.GrpcService
            1+envoy_grpc:envoy.config.core.v3.GrpcService.EnvoyGrpc 2-google_grpc 3+timeout 5~initial_metadata
            6~retry_policy
        envoy.config.core.v3.GrpcService.EnvoyGrpc
            1+cluster_name 2~authority 3~retry_policy 4~max_receive_message_length 5~skip_envoy_headers
        envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
            1+grpc_service:envoy.config.core.v3.GrpcService
            3+http_service:envoy.extensions.filters.http.ext_authz.v3.HttpService 2+failure_mode_allow
            5+with_request_body:envoy.extensions.filters.http.ext_authz.v3.BufferSettings 6~clear_route_cache 7+status_on_error 8~metadata_context_namespaces 9-filter_enabled
            10~include_peer_certificate 11-deny_at_disable 12~transport_api_version 13~stat_prefix
            14+filter_enabled_metadata:envoy.type.matcher.v3.MetadataMatcher 15~bootstrap_metadata_labels_key
            16~typed_metadata_context_namespaces 17+allowed_headers:envoy.type.matcher.v3.ListStringMatcher
            18~include_tls_session 19~failure_mode_allow_header_add 20~charge_cluster_response_stats
            23~encode_raw_headers 24~validate_mutations 25-disallowed_headers 27~enable_dynamic_metadata_ingestion
            28~filter_metadata 29~emit_filter_state_stats
        envoy.extensions.filters.http.ext_authz.v3.BufferSettings
            1+max_request_bytes 2+allow_partial_message 3+pack_as_bytes
        envoy.extensions.filters.http.ext_authz.v3.HttpService
            1+server_uri:envoy.config.core.v3.HttpUri 2+path_prefix 7-authorization_request
            8+authorization_response:envoy.extensions.filters.http.ext_authz.v3.AuthorizationResponse 9~retry_policy
        envoy.extensions.filters.http.ext_authz.v3.AuthorizationResponse
            1+allowed_upstream_headers:envoy.type.matcher.v3.ListStringMatcher
            2+allowed_client_headers:envoy.type.matcher.v3.ListStringMatcher 3-allowed_upstream_headers_to_append
            4-allowed_client_headers_on_success 5~dynamic_metadata_from_headers
        envoy.extensions.filters.network.ext_authz.v3.ExtAuthz
            1~stat_prefix 2+grpc_service:envoy.config.core.v3.GrpcService 3+failure_mode_allow
            4~include_peer_certificate 5~transport_api_version
            6+filter_enabled_metadata:envoy.type.matcher.v3.MetadataMatcher 7~bootstrap_metadata_labels_key
            8~include_tls_session
        envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
            1+stat_prefix 2+cluster 3-downstream_idle_timeout 4-upstream_idle_timeout
            5+access_log:envoy.config.accesslog.v3.AccessLog 7~max_connect_attempts 8+idle_timeout 9-metadata_match
            10+weighted_clusters:envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster 11-hash_policy
            12-tunneling_config 13-max_downstream_connection_duration 15~access_log_flush_interval
            16~flush_access_log_on_connected 17~access_log_options
        envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster
            1+clusters:envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight
        envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight
            1+name 2+weight 3-metadata_match
        envoy.config.accesslog.v3.AccessLog
            1+name 2-filter 4+typed_config:Any
        envoy.extensions.access_loggers.file.v3.FileAccessLog
            1+path 2+format 3-json_format 4-typed_json_format
            5+log_format:envoy.config.core.v3.SubstitutionFormatString
        envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
            1+log_format:envoy.config.core.v3.SubstitutionFormatString
        envoy.extensions.access_loggers.stream.v3.StderrAccessLog
            1+log_format:envoy.config.core.v3.SubstitutionFormatString
        envoy.extensions.filters.listener.original_dst.v3.OriginalDst
        envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
            1~enable_ja3_fingerprinting 2~initial_read_buffer_size
        envoy.extensions.filters.listener.http_inspector.v3.HttpInspector
        envoy.extensions.filters.network.sni_cluster.v3.SniCluster
        envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer
        envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
            1+common_tls_context:envoy.extensions.transport_sockets.tls.v3.CommonTlsContext
            2+require_client_certificate 3-require_sni 4-session_ticket_keys 5-session_ticket_keys_sds_secret_config
            6~session_timeout 7~disable_stateless_session_resumption 9~full_scan_certs_on_sni_mismatch
            10~disable_stateful_session_resumption
        envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
            1+common_tls_context:envoy.extensions.transport_sockets.tls.v3.CommonTlsContext 2+sni
            3-allow_renegotiation 4~max_session_keys 5~enforce_rsa_key_usage 6-auto_host_sni 7+auto_sni_san_validation
        envoy.extensions.transport_sockets.tls.v3.CommonTlsContext
            1+tls_params:envoy.extensions.transport_sockets.tls.v3.TlsParameters
            2+tls_certificates:envoy.extensions.transport_sockets.tls.v3.TlsCertificate
            3+validation_context:envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
            4+alpn_protocols
            6+tls_certificate_sds_secret_configs:envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig
            7+validation_context_sds_secret_config:envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig
            8+combined_validation_context:envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext
        envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext
            1+default_validation_context:envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
            2+validation_context_sds_secret_config:envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig
        envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig
            1+name 2~sds_config
        envoy.extensions.transport_sockets.tls.v3.TlsParameters
            1+tls_minimum_protocol_version 2+tls_maximum_protocol_version 3+cipher_suites 4-ecdh_curves
            5-signature_algorithms
        envoy.extensions.transport_sockets.tls.v3.TlsCertificate
            1+certificate_chain:envoy.config.core.v3.DataSource 2+private_key:envoy.config.core.v3.DataSource 3-password
            4~ocsp_staple 7~watched_directory
        envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
            1+trusted_ca:envoy.config.core.v3.DataSource 2+verify_certificate_hash 3+verify_certificate_spki
            7+crl:envoy.config.core.v3.DataSource 8-allow_expired_certificate
            9+match_subject_alt_names:envoy.type.matcher.v3.StringMatcher 10-trust_chain_verification
            11~watched_directory 14~only_verify_leaf_cert_crl
            15+match_typed_subject_alt_names:envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher
            16-max_verify_depth 17+system_root_certs
        envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher
            1+san_type 2+matcher:envoy.type.matcher.v3.StringMatcher 3-oid
        """
}
