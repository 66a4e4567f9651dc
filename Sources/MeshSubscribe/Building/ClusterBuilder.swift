internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Clusters, without or with the endpoints that come on their own.
struct ClusterBuilder {
    private let message: Envoy_Config_Cluster_V3_Cluster
    private let path: String

    init(_ message: Envoy_Config_Cluster_V3_Cluster, at path: String) {
        self.message = message
        self.path = path
    }

    /// The name under which EDS knows the cluster's endpoints; `nil` if they do not come by EDS.
    var endpointsName: String? {
        guard case .type(.eds) = self.message.clusterDiscoveryType else { return nil }
        let name = self.message.edsClusterConfig.serviceName
        return name.isEmpty ? self.message.name : name
    }

    /// Adds a finding for everything that is wrong; the cluster is usable only if there was none.
    ///
    /// `endpoints` are what EDS said of it; `audits` looks for unsupported fields, which is not needed for a message
    /// that was looked through before.
    func build(
        id: ClusterID,
        endpoints: [ClusterEndpoint],
        audits: Bool,
        _ findings: inout Findings
    ) -> TrafficEngine.Cluster? {
        if audits { findings.append(FieldAudit.findings(in: self.message, at: self.path)) }
        if self.message.name.isEmpty { findings.add(joined(self.path, "name"), "a name is needed") }
        let socket = self.message.transportSocket
        TransportSocketCheck.check(socket, self.message.hasTransportSocket, at: self.path, &findings)
        let options = self.httpOptions(&findings)
        let discovery = self.discovery(endpoints, &findings)
        let balancing = self.balancing(&findings)
        let limits = self.limits(options, &findings)
        let source = self.sourceAddress(&findings)
        guard let discovery, let balancing else { return nil }
        let timeout = self.message.hasConnectTimeout ? self.message.connectTimeout.value : .seconds(5)
        if timeout <= .zero { findings.add(joined(self.path, "connect_timeout"), "must be more than 0") }
        return TrafficEngine.Cluster(
            id: id,
            name: self.message.name,
            statName: self.message.altStatName.isEmpty ? nil : self.message.altStatName,
            discovery: discovery,
            balancing: balancing,
            connectTimeout: timeout,
            limits: limits,
            idleTimeout: options.common.hasIdleTimeout ? options.common.idleTimeout.limit : .seconds(3600),
            sourceAddress: source,
            usesHTTP2: options.usesHTTP2
        )
    }

    private typealias Options = (common: Envoy_Config_Core_V3_HttpProtocolOptions, usesHTTP2: Bool)

    private func httpOptions(_ findings: inout Findings) -> Options {
        var options: Options = (self.message.commonHTTPProtocolOptions, self.message.hasHTTP2ProtocolOptions)
        for (key, any) in self.message.typedExtensionProtocolOptions.sorted(by: { $0.key < $1.key }) {
            let path = joined(self.path, "typed_extension_protocol_options.\(key)")
            guard any.typeURL == TypeURL.upstreamHTTPProtocolOptions else {
                findings.add(path, ExtensionPoint.upstreamOptions.refusal(name: key, typeURL: any.typeURL))
                continue
            }
            typealias Message = Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions
            guard let message = any.unpacked(Message.self, at: path, &findings) else { continue }
            if message.hasCommonHTTPProtocolOptions { options.common = message.commonHTTPProtocolOptions }
            if case .http2ProtocolOptions = message.explicitHTTPConfig.protocolConfig { options.usesHTTP2 = true }
        }
        return options
    }

    private func discovery(
        _ endpoints: [ClusterEndpoint],
        _ findings: inout Findings
    ) -> TrafficEngine.Cluster.Discovery? {
        let path = joined(self.path, "load_assignment")
        switch self.message.clusterDiscoveryType {
        case .type(.eds): return .endpoints(endpoints)
        case .type(.static), nil:
            return .endpoints(EndpointBuilder.endpoints(self.message.loadAssignment, at: path, &findings))
        case .type(.strictDns): return self.names(keepsOne: false, refresh: self.refresh, &findings)
        case .type(.logicalDns): return self.names(keepsOne: true, refresh: self.refresh, &findings)
        case .type(.originalDst): return .originalDestination
        case .type(.UNRECOGNIZED(let number)):
            findings.add(joined(self.path, "type"), "\(number) is not known")
            return nil
        case .clusterType(let custom):
            let path = joined(self.path, "cluster_type")
            guard custom.typedConfig.typeURL == TypeURL.dnsCluster else {
                let typeURL = custom.typedConfig.typeURL
                findings.add(path, ExtensionPoint.clusterType.refusal(name: custom.name, typeURL: typeURL))
                return nil
            }
            typealias DNS = Envoy_Extensions_Clusters_Dns_V3_DnsCluster
            guard let dns = custom.typedConfig.unpacked(DNS.self, at: "\(path).typed_config", &findings) else {
                return nil
            }
            let refresh = dns.hasDnsRefreshRate ? dns.dnsRefreshRate.limit : nil
            return self.names(
                keepsOne: dns.allAddressesInSingleEndpoint,
                refresh: refresh ?? Self.refreshDefault,
                &findings
            )
        }
    }

    /// Envoy's default.
    private static let refreshDefault = Duration.seconds(5)

    private var refresh: Duration {
        (self.message.hasDnsRefreshRate ? self.message.dnsRefreshRate.limit : nil) ?? Self.refreshDefault
    }

    private func names(
        keepsOne: Bool,
        refresh: Duration,
        _ findings: inout Findings
    ) -> TrafficEngine.Cluster.Discovery? {
        if self.message.dnsLookupFamily == .v6Only {
            findings.add(joined(self.path, "dns_lookup_family"), "V6_ONLY is not supported")
        }
        let path = joined(self.path, "load_assignment")
        let names = EndpointBuilder.names(self.message.loadAssignment, at: path, &findings)
        if keepsOne, names.count != 1 {
            findings.add(path, "a cluster that keeps to one address needs exactly one name, there are \(names.count)")
        }
        return .dns(names, keepsOne: keepsOne, refresh: refresh)
    }

    private func balancing(_ findings: inout Findings) -> TrafficEngine.Cluster.Balancing? {
        let isOriginal = self.message.clusterDiscoveryType == .type(.originalDst)
        switch self.message.lbPolicy {
        case .roundRobin: return .roundRobin
        case .leastRequest: return .leastRequest
        case .random: return .random
        case .clusterProvided where isOriginal: return .roundRobin
        case .clusterProvided, .ringHash, .maglev, .loadBalancingPolicyConfig, .UNRECOGNIZED:
            findings.add(
                joined(self.path, "lb_policy"),
                "\(self.message.lbPolicy) is not supported; supported: ROUND_ROBIN, LEAST_REQUEST, RANDOM"
            )
            return nil
        }
    }

    private func limits(_ options: Options, _ findings: inout Findings) -> ClusterLimits {
        // Envoy's defaults hold for what is not said.
        var limits = ClusterLimits()
        let thresholds = self.message.circuitBreakers.thresholds.first { $0.priority == .default }
        let said = thresholds ?? Envoy_Config_Cluster_V3_CircuitBreakers.Thresholds()
        limits.connectionsMax = said.hasMaxConnections ? said.maxConnections.value : 1024
        limits.pendingRequestsMax = said.hasMaxPendingRequests ? said.maxPendingRequests.value : 1024
        limits.requestsMax = said.hasMaxRequests ? said.maxRequests.value : 1024
        limits.retriesMax = said.hasMaxRetries ? said.maxRetries.value : 3
        let perConnection =
            options.common.hasMaxRequestsPerConnection
            ? options.common.maxRequestsPerConnection : self.message.maxRequestsPerConnection
        limits.requestsPerConnectionMax = perConnection.value
        return limits
    }

    private func sourceAddress(_ findings: inout Findings) -> IPAddress? {
        guard self.message.upstreamBindConfig.hasSourceAddress else { return nil }
        let source = self.message.upstreamBindConfig.sourceAddress
        let path = joined(self.path, "upstream_bind_config.source_address")
        if source.portValue != 0 { findings.add("\(path).port_value", "only 0 is supported") }
        guard let ip = IPAddress(source.address) else {
            findings.add("\(path).address", "`\(source.address)` is no IP address")
            return nil
        }
        return ip.isUnspecified ? nil : ip
    }
}
