extension SupportedFields {
    /// Of where requests go: clusters, endpoints, routes; and of what holds all of them in a file.
    static let leaving = """
        envoy.config.cluster.v3.Cluster
            1+name 2+type 3+eds_cluster_config:envoy.config.cluster.v3.Cluster.EdsClusterConfig 4+connect_timeout
            5~per_connection_buffer_limit_bytes 6+lb_policy 9+max_requests_per_connection
            10+circuit_breakers:envoy.config.cluster.v3.CircuitBreakers 13~http_protocol_options
            14+http2_protocol_options:envoy.config.core.v3.Http2ProtocolOptions 16+dns_refresh_rate
            17+dns_lookup_family 19+outlier_detection:envoy.config.cluster.v3.OutlierDetection 20~cleanup_interval
            21+upstream_bind_config:envoy.config.core.v3.BindConfig 23+ring_hash_lb_config:envoy.config.cluster.v3.Cluster.RingHashLbConfig
            24+transport_socket:envoy.config.core.v3.TransportSocket 25+metadata 26-protocol_selection
            27+common_lb_config:envoy.config.cluster.v3.Cluster.CommonLbConfig 28+alt_stat_name
            29+common_http_protocol_options:envoy.config.core.v3.HttpProtocolOptions 30~upstream_connection_options
            31~close_connections_on_host_health_failure 32~ignore_health_on_host_removal
            33+load_assignment:envoy.config.endpoint.v3.ClusterLoadAssignment 34~original_dst_lb_config
            36+typed_extension_protocol_options:Any 37~least_request_lb_config
            38+cluster_type:envoy.config.cluster.v3.Cluster.CustomClusterType 39~respect_dns_ttl 40-filters
            43+transport_socket_matches:envoy.config.cluster.v3.Cluster.TransportSocketMatch 44~dns_failure_refresh_rate 45-use_tcp_for_dns_lookups
            46-upstream_http_protocol_options 49~track_cluster_stats 51-connection_pool_per_downstream_connection
            52+maglev_lb_config:envoy.config.cluster.v3.Cluster.MaglevLbConfig 54~wait_for_warm_on_init 55-typed_dns_resolver_config 56~round_robin_lb_config
            58~dns_jitter
        envoy.config.cluster.v3.Cluster.RingHashLbConfig
            1+minimum_ring_size 3+hash_function 4+maximum_ring_size
        envoy.config.cluster.v3.Cluster.MaglevLbConfig
            1+table_size
        envoy.config.cluster.v3.Cluster.CommonLbConfig
            1+healthy_panic_threshold 2~zone_aware_lb_config 3+locality_weighted_lb_config 4~update_merge_window
            5~ignore_new_hosts_until_first_hc 6~close_connections_on_host_set_change 7-consistent_hashing_lb_config
        envoy.config.cluster.v3.OutlierDetection
            1+consecutive_5xx 2+interval 3+base_ejection_time 4+max_ejection_percent 5+enforcing_consecutive_5xx
            6~enforcing_success_rate 7~success_rate_minimum_hosts 8~success_rate_request_volume
            9~success_rate_stdev_factor 10+consecutive_gateway_failure 11+enforcing_consecutive_gateway_failure
            12+split_external_local_origin_errors 13+consecutive_local_origin_failure
            14+enforcing_consecutive_local_origin_failure 15~enforcing_local_origin_success_rate
            16~failure_percentage_threshold 17~enforcing_failure_percentage
            18~enforcing_failure_percentage_local_origin 19~failure_percentage_minimum_hosts
            20~failure_percentage_request_volume 21+max_ejection_time 22~max_ejection_time_jitter
            23~successful_active_health_check_uneject_host 25~always_eject_one_host
        envoy.config.cluster.v3.Cluster.TransportSocketMatch
            1+name 2+match 3+transport_socket:envoy.config.core.v3.TransportSocket
        envoy.config.cluster.v3.Cluster.CustomClusterType
            1+name 2+typed_config:Any
        envoy.config.cluster.v3.Cluster.EdsClusterConfig
            1~eds_config 2+service_name
        envoy.config.cluster.v3.CircuitBreakers
            1+thresholds:envoy.config.cluster.v3.CircuitBreakers.Thresholds 2-per_host_thresholds
        envoy.config.cluster.v3.CircuitBreakers.Thresholds
            1+priority 2+max_connections 3+max_pending_requests 4+max_requests 5+max_retries 6~track_remaining
            7~max_connection_pools
            8+retry_budget:envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget
        envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget
            1+budget_percent:envoy.type.v3.Percent 2+min_retry_concurrency
        envoy.config.endpoint.v3.ClusterLoadAssignment
            1+cluster_name 2+endpoints:envoy.config.endpoint.v3.LocalityLbEndpoints 4~policy
        envoy.config.endpoint.v3.LocalityLbEndpoints
            1+locality 2+lb_endpoints:envoy.config.endpoint.v3.LbEndpoint 3+load_balancing_weight 5+priority
            6~proximity 9+metadata
        envoy.config.endpoint.v3.LbEndpoint
            1+endpoint:envoy.config.endpoint.v3.Endpoint 2+health_status 3+metadata 4+load_balancing_weight
            5-endpoint_name
        envoy.config.endpoint.v3.Endpoint
            1+address:envoy.config.core.v3.Address 2~health_check_config 3+hostname 4-additional_addresses
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions
            1+common_http_protocol_options:envoy.config.core.v3.HttpProtocolOptions 2+upstream_http_protocol_options:envoy.config.core.v3.UpstreamHttpProtocolOptions
            3+explicit_http_config:envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig
            4+use_downstream_protocol_config:envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig
            5+auto_config:envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig
            1+http_protocol_options:envoy.config.core.v3.Http1ProtocolOptions
            2+http2_protocol_options:envoy.config.core.v3.Http2ProtocolOptions
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig
            1+http_protocol_options:envoy.config.core.v3.Http1ProtocolOptions
            2+http2_protocol_options:envoy.config.core.v3.Http2ProtocolOptions
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig
            1+http_protocol_options:envoy.config.core.v3.Http1ProtocolOptions
            2+http2_protocol_options:envoy.config.core.v3.Http2ProtocolOptions
        envoy.extensions.clusters.dns.v3.DnsCluster
            3+dns_refresh_rate 4~dns_failure_refresh_rate 5~respect_dns_ttl 6~dns_jitter 8+dns_lookup_family
            9+all_addresses_in_single_endpoint
        envoy.config.route.v3.RouteConfiguration
            1+name 2+virtual_hosts:envoy.config.route.v3.VirtualHost 3~internal_only_headers
            4+response_headers_to_add:envoy.config.core.v3.HeaderValueOption 5+response_headers_to_remove
            6+request_headers_to_add:envoy.config.core.v3.HeaderValueOption 7~validate_clusters
            8+request_headers_to_remove 10-most_specific_header_mutations_wins 11~max_direct_response_body_size_bytes
            13-request_mirror_policies 14~ignore_port_in_host_matching 15-ignore_path_parameters_in_path_matching
            16-typed_per_filter_config 17~metadata
        envoy.config.route.v3.VirtualHost
            1+name 2+domains 3+routes:envoy.config.route.v3.Route 4-require_tls
            7+request_headers_to_add:envoy.config.core.v3.HeaderValueOption 8-cors
            10+response_headers_to_add:envoy.config.core.v3.HeaderValueOption 11+response_headers_to_remove
            13+request_headers_to_remove 14~include_request_attempt_count 15-typed_per_filter_config
            16+retry_policy:envoy.config.route.v3.RetryPolicy 18~per_request_buffer_limit_bytes
            19~include_attempt_count_in_response 22-request_mirror_policies 24~metadata
        envoy.config.route.v3.Route
            1+match:envoy.config.route.v3.RouteMatch 2+route:envoy.config.route.v3.RouteAction
            3+redirect:envoy.config.route.v3.RedirectAction 4~metadata 5~decorator
            7+direct_response:envoy.config.route.v3.DirectResponseAction
            9+request_headers_to_add:envoy.config.core.v3.HeaderValueOption
            10+response_headers_to_add:envoy.config.core.v3.HeaderValueOption 11+response_headers_to_remove
            12+request_headers_to_remove 13+typed_per_filter_config 14+name 16~per_request_buffer_limit_bytes
            18-non_forwarding_action 19~stat_prefix
        envoy.config.route.v3.WeightedCluster
            1+clusters:envoy.config.route.v3.WeightedCluster.ClusterWeight 2~runtime_key_prefix 3~total_weight
            4-header_name
        envoy.config.route.v3.WeightedCluster.ClusterWeight
            1+name 2+weight 3-metadata_match 4+request_headers_to_add:envoy.config.core.v3.HeaderValueOption
            5+response_headers_to_add:envoy.config.core.v3.HeaderValueOption 6+response_headers_to_remove
            9+request_headers_to_remove 10-typed_per_filter_config 11-host_rewrite_literal 12-cluster_header
        envoy.config.route.v3.RouteMatch
            1+prefix 2+path 4+case_sensitive 6+headers:envoy.config.route.v3.HeaderMatcher
            7+query_parameters:envoy.config.route.v3.QueryParameterMatcher
            8+grpc:envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions
            9+runtime_fraction:envoy.config.core.v3.RuntimeFractionalPercent
            10+safe_regex:envoy.type.matcher.v3.RegexMatcher 11-tls_context 12-connect_matcher
            14+path_separated_prefix
        envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions
        envoy.config.route.v3.RouteAction.HashPolicy
            1+header:envoy.config.route.v3.RouteAction.HashPolicy.Header
            2+cookie:envoy.config.route.v3.RouteAction.HashPolicy.Cookie 3+connection_properties 4+terminal
            5+query_parameter 6-filter_state
        envoy.config.route.v3.RouteAction.HashPolicy.Header
            1+header_name 2-regex_rewrite
        envoy.config.route.v3.RouteAction.HashPolicy.Cookie
            1+name 2+ttl 3+path 4-attributes
        envoy.config.route.v3.RouteAction
            1+cluster 2-cluster_header 3+weighted_clusters:envoy.config.route.v3.WeightedCluster 4-metadata_match
            5+prefix_rewrite 6+host_rewrite_literal 7+auto_host_rewrite 8+timeout
            9+retry_policy:envoy.config.route.v3.RetryPolicy 11~priority 14~include_vh_rate_limits
            15+hash_policy:envoy.config.route.v3.RouteAction.HashPolicy
            17-cors 20~cluster_not_found_response_code 23~max_grpc_timeout 24~idle_timeout
            25+upgrade_configs:envoy.config.route.v3.RouteAction.UpgradeConfig 27-hedge_policy 28~grpc_timeout_offset
            29-host_rewrite_header 30-request_mirror_policies 32-regex_rewrite 35-host_rewrite_path_regex
            36~max_stream_duration 38~append_x_forwarded_host
        envoy.config.route.v3.RouteAction.UpgradeConfig
            1+upgrade_type 2+enabled 3-connect_config
        envoy.config.route.v3.RetryPolicy
            1+retry_on 2+num_retries 3+per_try_timeout 4~retry_priority 5~retry_host_predicate
            6~host_selection_retry_max_attempts 7+retriable_status_codes
            8+retry_back_off:envoy.config.route.v3.RetryPolicy.RetryBackOff 9-retriable_headers
            10-retriable_request_headers 11~rate_limited_retry_back_off 12-retry_options_predicates
            13-per_try_idle_timeout
        envoy.config.route.v3.RetryPolicy.RetryBackOff
            1+base_interval 2+max_interval
        envoy.config.route.v3.RedirectAction
            1+host_redirect 2+path_redirect 3+response_code 4+https_redirect 5+prefix_rewrite 6-strip_query
            7+scheme_redirect 8+port_redirect 9-regex_rewrite 10+path_rewrite
        envoy.config.route.v3.DirectResponseAction
            1+status 2+body:envoy.config.core.v3.DataSource 3-body_format
        envoy.config.route.v3.HeaderMatcher
            1+name 4+exact_match 6-range_match 7+present_match 8+invert_match 9+prefix_match 10+suffix_match
            11+safe_regex_match:envoy.type.matcher.v3.RegexMatcher 12+contains_match
            13+string_match:envoy.type.matcher.v3.StringMatcher 14+treat_missing_header_as_empty
        envoy.config.route.v3.QueryParameterMatcher
            1+name 5+string_match:envoy.type.matcher.v3.StringMatcher 6+present_match
        envoy.type.matcher.v3.RegexMatcher
            1~google_re2 2+regex
        envoy.type.matcher.v3.StringMatcher
            1+exact 2+prefix 3+suffix 5+safe_regex:envoy.type.matcher.v3.RegexMatcher 6+ignore_case 7+contains
        envoy.config.bootstrap.v3.Bootstrap
            1~node 2+static_resources:envoy.config.bootstrap.v3.Bootstrap.StaticResources 3-dynamic_resources
            4-cluster_manager 5~flags_path 7~stats_flush_interval 12+admin:envoy.config.bootstrap.v3.Admin
            13~stats_config 16~enable_dispatcher_stats 17~layered_runtime 18-header_prefix 23-default_config_source
        envoy.config.bootstrap.v3.Bootstrap.StaticResources
            1+listeners:envoy.config.listener.v3.Listener 2+clusters:envoy.config.cluster.v3.Cluster 3-secrets
        envoy.config.bootstrap.v3.Admin
            1~access_log_path 2~profile_path 3+address:envoy.config.core.v3.Address 4-socket_options 5~access_log
            6~ignore_global_conn_limit
        """
}
