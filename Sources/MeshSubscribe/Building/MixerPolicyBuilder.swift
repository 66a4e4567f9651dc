internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// What a filter chain asks the policy engine, out of Istio's filter `mixer`.
enum MixerPolicyBuilder {
    static func build(
        _ message: Istio_Mixer_V1_Config_Client_HttpClientConfig,
        by workload: OwnWorkload?,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> MixerPolicy {
        let transport = message.transport
        let service = message.serviceConfigs[message.defaultDestinationService]
        // The service's own policy counts before the mesh's (ServiceConfig.network_fail_policy).
        let policy = service.flatMap { $0.hasNetworkFailPolicy ? $0.networkFailPolicy : nil }
        let (attributes, side) = Self.attributes(message.mixerAttributes, workload)
        return MixerPolicy(
            side: side,
            checkServer: Self.server(transport.checkCluster, &registry, isOff: service?.disableCheckCalls ?? false),
            reportServer: Self.server(transport.reportCluster, &registry, isOff: service?.disableReportCalls ?? false),
            failsOpen: (policy ?? transport.networkFailPolicy).policy == .failOpen,
            checkTimeout: Self.checkTimeout(transport, at: path, &findings),
            attributes: attributes,
            services: Self.services(
                message.serviceConfigs,
                first: message.defaultDestinationService,
                at: path,
                &findings
            ),
            forwarded: Self.forwarded(message, side == .outbound ? workload : nil)
        )
    }

    /// For connections.
    static func build(
        _ message: Istio_Mixer_V1_Config_Client_TcpClientConfig,
        by workload: OwnWorkload?,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> MixerPolicy {
        let transport = message.transport
        let (attributes, side) = Self.attributes(message.mixerAttributes, workload)
        let interval = message.hasReportInterval ? message.reportInterval.value : Self.reportInterval
        if interval < .seconds(1) { findings.add("\(path).report_interval", "must be at least 1s") }
        var services = Self.services(message.serviceConfigs, at: path, &findings)
        if !message.connectionQuotaSpec.rules.isEmpty {
            let quotas = message.connectionQuotaSpec.rules.enumerated().map {
                Self.quota($1, at: "\(path).connection_quota_spec.rules[\($0)]", &findings)
            }
            services.insert(MixerServiceRules(host: "*", quotas: quotas), at: 0)
        }
        return MixerPolicy(
            side: side,
            checkServer: Self.server(transport.checkCluster, &registry, isOff: message.disableCheckCalls),
            reportServer: Self.server(transport.reportCluster, &registry, isOff: message.disableReportCalls),
            failsOpen: transport.networkFailPolicy.policy == .failOpen,
            checkTimeout: Self.checkTimeout(transport, at: path, &findings),
            attributes: attributes,
            services: services,
            reportInterval: interval
        )
    }

    private static func checkTimeout(
        _ transport: Istio_Mixer_V1_Config_Client_TransportConfig,
        at path: String,
        _ findings: inout Findings
    ) -> Duration {
        guard transport.hasCheckTimeout else { return MixerPolicy.checkTimeoutUnsaid }
        let timeout = transport.checkTimeout.value
        if timeout <= .zero { findings.add("\(path).transport.check_timeout", "must be longer than nothing") }
        return timeout
    }

    private static func server(
        _ name: String,
        _ registry: inout ClusterRegistry,
        isOff: Bool
    ) -> MixerPolicy.Server? {
        name.isEmpty || isOff ? nil : MixerPolicy.Server(cluster: registry.id(of: name), name: name)
    }

    /// Istio's default.
    private static let reportInterval = Duration.seconds(10)

    /// What is said with every check and report, and on which side of the way. Who tells it, the proxy knows by itself.
    private static func attributes(
        _ message: Istio_Mixer_V1_Attributes,
        _ workload: OwnWorkload?
    ) -> ([String: MixerValue], MixerPolicy.Side) {
        var attributes = Self.values(message)
        guard attributes["context.reporter.kind"] == .text("outbound") else { return (attributes, .inbound) }
        if let workload {
            let own = [
                "context.reporter.uid": workload.uid, "source.uid": workload.uid,
                "source.namespace": workload.namespace,
            ]
            attributes.merge(own.mapValues { .text($0) }) { said, _ in said }
        }
        return (attributes, .outbound)
    }

    /// Who sends requests, for the proxies that they go to.
    private static func forwarded(
        _ message: Istio_Mixer_V1_Config_Client_HttpClientConfig,
        _ workload: OwnWorkload?
    ) -> [UInt8] {
        let said = message.forwardAttributes.attributes["source.uid"]?.stringValue ?? ""
        guard let uid = said.isEmpty ? workload?.uid : said else { return [] }
        return ForwardedAttributes.value(sourceUID: uid)
    }

    /// The default first, the others in the order of their hosts.
    private static func services(
        _ configs: [String: Istio_Mixer_V1_Config_Client_ServiceConfig],
        first: String = "",
        at path: String,
        _ findings: inout Findings
    ) -> [MixerServiceRules] {
        let configs = configs.sorted { Self.rank($0.key, first) < Self.rank($1.key, first) }
        return configs.map { host, config in
            let path = "\(path).service_configs[\(host)]"
            let attributes = Self.values(config.mixerAttributes)
            var quotas: [QuotaRule] = []
            for (index, spec) in config.quotaSpec.enumerated() {
                for (number, rule) in spec.rules.enumerated() {
                    quotas.append(Self.quota(rule, at: "\(path).quota_spec[\(index)].rules[\(number)]", &findings))
                }
            }
            let service = attributes.isEmpty ? nil : MixerService(host: host, attributes: attributes)
            return MixerServiceRules(
                host: host.lowercased(),
                service: service,
                quotas: quotas,
                interface: service.flatMap { Self.interface(config.httpApiSpec, of: $0, at: path, &findings) }
            )
        }
    }

    private static func rank(_ host: String, _ first: String) -> (Int, String) { (host == first ? 0 : 1, host) }

    static func values(_ attributes: Istio_Mixer_V1_Attributes) -> [String: MixerValue] {
        attributes.attributes.compactMapValues { value -> MixerValue? in
            switch value.value {
            case .stringValue(let text): .text(text)
            case .int64Value(let number): .number(number)
            case .doubleValue(let number): .fraction(number)
            case .boolValue(let truth): .truth(truth)
            case .bytesValue(let bytes): .bytes(Array(bytes))
            case .timestampValue(let moment): .moment(milliseconds: Self.milliseconds(moment))
            case .durationValue(let duration): .duration(duration.value)
            case .stringMapValue(let map): MixerValue.map(map.entries)
            case nil: nil
            }
        }
    }

    private static func milliseconds(_ moment: Google_Protobuf_Timestamp) -> Int64 {
        let (product, overflows) = moment.seconds.multipliedReportingOverflow(by: 1000)
        return overflows ? 0 : product &+ Int64(moment.nanos / 1_000_000)
    }

    private static func quota(
        _ rule: Istio_Mixer_V1_Config_Client_QuotaRule,
        at path: String,
        _ findings: inout Findings
    ) -> QuotaRule {
        var matches: [QuotaRule.Match] = []
        for (index, match) in rule.match.enumerated() {
            var clauses: [QuotaRule.Match.Clause] = []
            for (name, text) in match.clause.sorted(by: { $0.key < $1.key }) {
                let path = "\(path).match[\(index)].clause[\(name)]"
                guard let text = Self.text(text, at: path, &findings) else { continue }
                clauses.append(QuotaRule.Match.Clause(attribute: name, text: text))
            }
            matches.append(QuotaRule.Match(clauses: clauses))
        }
        return QuotaRule(
            matches: matches,
            charges: rule.quotas.map { QuotaCharge(quota: $0.quota, amount: $0.charge) }
        )
    }

    private static func text(
        _ match: Istio_Mixer_V1_Config_Client_StringMatch,
        at path: String,
        _ findings: inout Findings
    ) -> TextMatch? {
        switch match.matchType {
        case .exact(let text): return .exact(Array(text.utf8))
        case .prefix(let text): return .prefix(Array(text.utf8))
        case .regex(let text):
            do throws(Pattern.SyntaxError) { return .regex(try Pattern(compiling: text)) } catch {
                findings.add("\(path).regex", "\(error)")
                return nil
            }
        case nil:
            findings.add(path, "one of exact, prefix, regex is needed")
            return nil
        }
    }
}
