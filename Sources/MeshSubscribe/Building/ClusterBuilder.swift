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
        endpoints: [ListedEndpoint],
        audits: Bool,
        _ findings: inout Findings
    ) -> TrafficEngine.Cluster? {
        if audits { findings.append(FieldAudit.findings(in: self.message, at: self.path)) }
        if self.message.name.isEmpty { findings.add(joined(self.path, "name"), "a name is needed") }
        let options = self.httpOptions(&findings)
        let transports = self.transports(options, &findings)
        let discovery = self.discovery(endpoints, &findings)
        let choice = BalancingBuilder(message: self.message, path: self.path)
        let balancing = choice.balancing(&findings)
        let outliers = choice.outliers(&findings)
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
            httpVersion: options.version,
            transports: transports,
            outlierDetection: outliers,
            panicThreshold: choice.panicThreshold,
            http2: options.http2,
            weighsLocalities: choice.weighsLocalities,
            activation: self.activation(.pod, &findings) ?? self.activation(.callers, &findings),
            service: self.service(&findings),
            isReporter: self.message.metadata.filterMetadata[Self.reporterMetadata] != nil
        )
    }

    private static func metadata(of side: RevisionActivation.Side) -> String {
        switch side {
        case .callers: "dev.lateen.activation"
        case .pod: "dev.lateen.pod"
        }
    }

    private static let reporterMetadata = "dev.lateen.reporter"

    private static let serviceMetadata = "dev.lateen.service"

    private func service(_ findings: inout Findings) -> MixerService? {
        guard let said = self.message.metadata.filterMetadata[Self.serviceMetadata] else { return nil }
        guard let host = said.fields["host"]?.stringValue, !host.isEmpty else {
            findings.add(joined(self.path, "metadata.filter_metadata.\(Self.serviceMetadata)"), "`host` is needed")
            return nil
        }
        let attributes = said.fields["attributes"]?.structValue.fields ?? [:]
        return MixerService(
            host: host,
            attributes: attributes.mapValues { .text($0.stringValue) },
            isChargedByClients: said.fields["external"]?.boolValue ?? false
        )
    }

    /// Of all metadata only ours means something here.
    private func activation(_ side: RevisionActivation.Side, _ findings: inout Findings) -> RevisionActivation? {
        let place = Self.metadata(of: side)
        guard let said = self.message.metadata.filterMetadata[place] else { return nil }
        let path = joined(self.path, "metadata.filter_metadata.\(place)")
        let (namespace, name) = (said.fields["namespace"]?.stringValue, said.fields["revision"]?.stringValue)
        guard let namespace, let name, !namespace.isEmpty, !name.isEmpty else {
            findings.add(path, "`namespace` and `revision` are needed")
            return nil
        }
        guard let concurrency = Int(exactly: said.fields["concurrency"]?.numberValue ?? 0),
            (0...1_000_000).contains(concurrency)
        else {
            findings.add("\(path).concurrency", "expected a whole number from 0 to 1000000")
            return nil
        }
        let probe = said.fields["probe"]?.stringValue ?? ""
        guard ["", "connect"].contains(probe) else {
            findings.add("\(path).probe", "expected `connect`, or nothing")
            return nil
        }
        return RevisionActivation(
            revision: ObjectID(namespace: namespace, name: name),
            concurrencyMax: concurrency,
            asksPods: probe == "connect",
            side: side
        )
    }

    /// How each kind of endpoint is spoken to: those that a match names in its order, then all others.
    private func transports(_ options: Options, _ findings: inout Findings) -> [ClientTLS?] {
        var transports: [ClientTLS?] = []
        for (index, match) in self.message.transportSocketMatches.enumerated() {
            let path = joined(self.path, "transport_socket_matches[\(index)]")
            transports.append(
                TLSContextBuilder.client(match.transportSocket, names: options.names, at: path, &findings)
            )
        }
        let last =
            self.message.hasTransportSocket
            ? TLSContextBuilder.client(self.message.transportSocket, names: options.names, at: self.path, &findings)
            : nil
        return transports + [last]
    }

    /// Endpoints with the number of the transport that their marks choose.
    private func resolved(_ endpoints: [ListedEndpoint]) -> [ClusterEndpoint] {
        endpoints.map { listed in
            var endpoint = listed.endpoint
            endpoint.transport = self.transport(of: listed.mark)
            return endpoint
        }
    }

    /// The first match whose fields are all among the marks (Envoy `transport_socket_matches`).
    private func transport(of mark: Google_Protobuf_Struct) -> Int {
        let matches = self.message.transportSocketMatches
        return matches.firstIndex { match in
            match.match.fields.allSatisfy { mark.fields[$0.key] == $0.value }
        } ?? matches.count
    }

    /// What is said of HTTP, in a cluster's own fields or in the extension that has replaced them.
    private struct Options {
        var common: Envoy_Config_Core_V3_HttpProtocolOptions
        var version: TrafficEngine.Cluster.HTTPVersion
        var http2: HTTP2Settings
        var names = TLSContextBuilder.RequestNames()
    }

    private func httpOptions(_ findings: inout Findings) -> Options {
        let path = joined(self.path, "http2_protocol_options")
        var options = Options(
            common: self.message.commonHTTPProtocolOptions,
            version: self.message.hasHTTP2ProtocolOptions ? .http2 : .http1,
            http2: HTTP2SettingsBuilder.upstream(self.message.http2ProtocolOptions, at: path, &findings)
        )
        for (key, any) in self.message.typedExtensionProtocolOptions.sorted(by: { $0.key < $1.key }) {
            let path = joined(self.path, "typed_extension_protocol_options.\(key)")
            guard any.typeURL == TypeURL.upstreamHTTPProtocolOptions else {
                findings.add(path, ExtensionPoint.upstreamOptions.refusal(name: key, typeURL: any.typeURL))
                continue
            }
            typealias Message = Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions
            guard let message = any.unpacked(Message.self, at: path, &findings) else { continue }
            if message.hasCommonHTTPProtocolOptions { options.common = message.commonHTTPProtocolOptions }
            options.names.usesHost = message.upstreamHTTPProtocolOptions.autoSni
            options.names.verifiesHost = message.upstreamHTTPProtocolOptions.autoSanValidation
            Self.readVersion(message, at: path, &options, &findings)
        }
        return options
    }

    private static func readVersion(
        _ message: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions,
        at path: String,
        _ options: inout Options,
        _ findings: inout Findings
    ) {
        let http2: Envoy_Config_Core_V3_Http2ProtocolOptions
        let place: String
        switch message.upstreamProtocolOptions {
        case .explicitHTTPConfig(let config):
            guard case .http2ProtocolOptions(let said) = config.protocolConfig else {
                options.version = .http1
                return
            }
            (options.version, http2, place) = (.http2, said, "explicit_http_config")
        case .useDownstreamProtocolConfig(let config):
            (options.version, http2, place) = (
                .asDownstream, config.http2ProtocolOptions, "use_downstream_protocol_config"
            )
        case .autoConfig(let config):
            (options.version, http2, place) = (.negotiated, config.http2ProtocolOptions, "auto_config")
        case nil: return
        }
        options.http2 = HTTP2SettingsBuilder.upstream(
            http2,
            at: "\(path).\(place).http2_protocol_options",
            &findings
        )
    }

    private func discovery(
        _ endpoints: [ListedEndpoint],
        _ findings: inout Findings
    ) -> TrafficEngine.Cluster.Discovery? {
        let path = joined(self.path, "load_assignment")
        switch self.message.clusterDiscoveryType {
        case .type(.eds): return .endpoints(self.resolved(endpoints))
        case .type(.static), nil:
            let listed = EndpointBuilder.endpoints(self.message.loadAssignment, at: path, &findings)
            return .endpoints(self.resolved(listed))
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
        let names = EndpointBuilder.names(self.message.loadAssignment, at: path, &findings).map { listed in
            var name = listed.name
            name.transport = self.transport(of: listed.mark)
            return name
        }
        if keepsOne, names.count != 1 {
            findings.add(path, "a cluster that keeps to one address needs exactly one name, there are \(names.count)")
        }
        return .dns(names, keepsOne: keepsOne, refresh: refresh)
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
        if said.hasRetryBudget {
            let budget = said.retryBudget
            limits.retryBudget = RetryBudget(
                percent: budget.hasBudgetPercent ? budget.budgetPercent.value : 20,
                concurrencyMin: budget.hasMinRetryConcurrency ? budget.minRetryConcurrency.value : 3
            )
        }
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
