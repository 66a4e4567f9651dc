internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Listeners with their filter chains.
struct ListenerBuilder {
    private var registry: ClusterRegistry
    private let workload: OwnWorkload?

    /// Adds a finding for everything that is wrong; the listener is usable only if there was none.
    static func build(
        _ message: Envoy_Config_Listener_V3_Listener,
        of workload: OwnWorkload?,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> Listener? {
        var builder = ListenerBuilder(registry: registry, workload: workload)
        defer { registry = builder.registry }
        return builder.listener(message, at: path, &findings)
    }

    private mutating func listener(
        _ message: Envoy_Config_Listener_V3_Listener,
        at path: String,
        _ findings: inout Findings
    ) -> Listener? {
        findings.append(FieldAudit.findings(in: message, at: path))
        let address = AddressBuilder.address(message.address, at: joined(path, "address"), &findings)
        let inspection = Self.inspection(message.listenerFilters, at: joined(path, "listener_filters"), &findings)
        var chains: [FilterChain] = []
        for (index, chain) in message.filterChains.enumerated() {
            if let chain = self.chain(chain, at: "\(joined(path, "filter_chains"))[\(index)]", &findings) {
                chains.append(chain)
            }
        }
        var defaultChain: FilterChain?
        if message.hasDefaultFilterChain {
            defaultChain = self.chain(message.defaultFilterChain, at: joined(path, "default_filter_chain"), &findings)
        }
        if message.filterChains.isEmpty, !message.hasDefaultFilterChain {
            findings.add(joined(path, "filter_chains"), "a listener needs at least one filter chain")
        }
        guard let address else { return nil }
        return Listener(
            name: message.name.isEmpty ? address.description : message.name,
            address: address,
            isBound: Self.isBound(message),
            usesOriginalDestination: message.useOriginalDst.value,
            chains: chains,
            defaultChain: defaultChain,
            inspectsHTTP: inspection.http,
            inspectsTLS: inspection.tls,
            inspectionTimeout: message.hasListenerFiltersTimeout
                ? message.listenerFiltersTimeout.limit : .seconds(15),
            isInbound: message.trafficDirection == .inbound,
            restoresDestination: inspection.destination || message.useOriginalDst.value,
            uninspectedByHTTP: inspection.notHTTP,
            uninspectedByTLS: inspection.notTLS,
            dnsBoundEgress: EgressBuilder.binding(message.metadata, at: joined(path, "metadata"), &findings)
        )
    }

    private static func isBound(_ message: Envoy_Config_Listener_V3_Listener) -> Bool {
        if message.hasBindToPort { return message.bindToPort.value }
        return message.deprecatedV1.hasBindToPort ? message.deprecatedV1.bindToPort.value : true
    }

    private struct Inspection {
        var http = false
        var tls = false
        var destination = false
        /// Ports that the inspectors leave alone.
        var notHTTP: PortCondition?
        var notTLS: PortCondition?
    }

    private static func inspection(
        _ filters: [Envoy_Config_Listener_V3_ListenerFilter],
        at path: String,
        _ findings: inout Findings
    ) -> Inspection {
        var result = Inspection()
        for (index, filter) in filters.enumerated() {
            let place = "\(path)[\(index)].filter_disabled"
            let disabled = filter.hasFilterDisabled ? Self.condition(filter.filterDisabled, at: place, &findings) : nil
            switch filter.typedConfig.typeURL {
            case TypeURL.originalDestination:
                result.destination = true
                if disabled != nil { findings.add(place, "is supported for inspectors only") }
            case TypeURL.tlsInspector:
                result.tls = true
                result.notTLS = disabled
            case TypeURL.httpInspector:
                result.http = true
                result.notHTTP = disabled
            default:
                let typeURL = filter.typedConfig.typeURL
                findings.add(
                    "\(path)[\(index)]",
                    ExtensionPoint.listenerFilter.refusal(name: filter.name, typeURL: typeURL)
                )
            }
        }
        return result
    }

    private static func condition(
        _ message: Envoy_Config_Listener_V3_ListenerFilterChainMatchPredicate,
        at path: String,
        _ findings: inout Findings
    ) -> PortCondition? {
        switch message.rule {
        case .orMatch(let set):
            return .any(set.rules.compactMap { Self.condition($0, at: "\(path).or_match", &findings) })
        case .andMatch(let set):
            return .all(set.rules.compactMap { Self.condition($0, at: "\(path).and_match", &findings) })
        case .notMatch(let inner):
            return Self.condition(inner, at: "\(path).not_match", &findings).map { .not($0) }
        case .anyMatch: return .all([])
        case .destinationPortRange(let range):
            return .range(from: Int(range.start), to: Int(range.end))
        case nil:
            findings.add(path, "a rule is needed")
            return nil
        }
    }

    private mutating func chain(
        _ message: Envoy_Config_Listener_V3_FilterChain,
        at path: String,
        _ findings: inout Findings
    ) -> FilterChain? {
        let tls =
            message.hasTransportSocket
            ? TLSContextBuilder.server(message.transportSocket, at: path, &findings) : nil
        let match = Self.match(message.filterChainMatch, at: "\(path).filter_chain_match", &findings)
        guard let last = message.filters.indices.last else {
            findings.add("\(path).filters", "at least one filter is needed")
            return nil
        }
        var usesServerName = false
        var policies = PolicyChainBuilder(workload: self.workload)
        for (index, filter) in message.filters.enumerated() where index != last {
            let path = "\(path).filters[\(index)]"
            let inner = "\(path).typed_config"
            if policies.takeNetwork(name: filter.name, filter.typedConfig, at: inner, &self.registry, &findings) {
                continue
            }
            switch filter.typedConfig.typeURL {
            case TypeURL.serverNameCluster: usesServerName = true
            default:
                let typeURL = filter.typedConfig.typeURL
                findings.add(path, ExtensionPoint.networkFilter.refusal(name: filter.name, typeURL: typeURL))
            }
        }
        let terminal = self.terminal(
            message.filters[last],
            usesServerName: usesServerName,
            mixer: policies.mixer,
            at: "\(path).filters[\(last)]",
            &findings
        )
        if case .http = terminal, !policies.connection.isEmpty || policies.mixer != nil {
            // Ours are HTTP filters there; to take these and not enforce them would be worse than to refuse.
            findings.add("\(path).filters", "network policies in front of HTTP are not supported; use HTTP filters")
        }
        return terminal.map {
            FilterChain(
                name: message.name,
                match: match,
                tls: tls,
                connectionPolicies: policies.connection,
                terminal: $0
            )
        }
    }

    private static func match(
        _ message: Envoy_Config_Listener_V3_FilterChainMatch,
        at path: String,
        _ findings: inout Findings
    ) -> FilterChainMatch {
        var match = FilterChainMatch()
        if message.hasDestinationPort {
            match.destinationPort = UInt16(exactly: message.destinationPort.value)
            if match.destinationPort == nil {
                findings.add("\(path).destination_port", "\(message.destinationPort.value) is no port")
            }
        }
        match.destinationPrefixes = AddressBuilder.blocks(message.prefixRanges, at: "\(path).prefix_ranges", &findings)
        match.sourcePrefixes = AddressBuilder.blocks(
            message.sourcePrefixRanges,
            at: "\(path).source_prefix_ranges",
            &findings
        )
        match.serverNames = message.serverNames.map { $0.lowercased() }
        if !["", "tls", "raw_buffer"].contains(message.transportProtocol) {
            findings.add("\(path).transport_protocol", "`\(message.transportProtocol)` is not tls or raw_buffer")
        }
        match.transportProtocol = message.transportProtocol.isEmpty ? nil : message.transportProtocol
        match.applicationProtocols = message.applicationProtocols
        return match
    }

    private mutating func terminal(
        _ filter: Envoy_Config_Listener_V3_Filter,
        usesServerName: Bool,
        mixer: MixerPolicy?,
        at path: String,
        _ findings: inout Findings
    ) -> FilterChain.Terminal? {
        let inner = "\(path).typed_config"
        switch filter.typedConfig.typeURL {
        case TypeURL.httpConnectionManager:
            typealias Message = ConnectionManagerBuilder.Message
            guard let message = filter.typedConfig.unpacked(Message.self, at: inner, &findings) else { return nil }
            let workload = self.workload
            return ConnectionManagerBuilder.build(message, of: workload, at: inner, &self.registry, &findings)
                .map { .http($0) }
        case TypeURL.tcpProxy:
            typealias Message = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy
            guard let message = filter.typedConfig.unpacked(Message.self, at: inner, &findings) else { return nil }
            return self.tcpProxy(message, usesServerName: usesServerName, mixer: mixer, at: inner, &findings)
                .map { .tcp($0) }
        default:
            let typeURL = filter.typedConfig.typeURL
            findings.add(path, ExtensionPoint.networkFilter.refusal(name: filter.name, typeURL: typeURL))
            return nil
        }
    }

    private mutating func tcpProxy(
        _ message: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy,
        usesServerName: Bool,
        mixer: MixerPolicy?,
        at path: String,
        _ findings: inout Findings
    ) -> TCPProxy? {
        var clusters: [WeightedCluster] = []
        switch message.clusterSpecifier {
        case .cluster(let name): clusters = [WeightedCluster(cluster: self.registry.id(of: name), name: name)]
        case .weightedClusters(let weighted):
            clusters = weighted.clusters.map {
                WeightedCluster(cluster: self.registry.id(of: $0.name), name: $0.name, weight: $0.weight)
            }
        case nil: ()
        }
        guard clusters.contains(where: { $0.weight > 0 }), clusters.allSatisfy({ !$0.name.isEmpty }) else {
            findings.add(path, "one of cluster, weighted_clusters is needed, with weights that add up to more than 0")
            return nil
        }
        return TCPProxy(
            statPrefix: message.statPrefix,
            clusters: clusters,
            idleTimeout: message.hasIdleTimeout ? message.idleTimeout.limit : .seconds(3600),
            accessLogs: AccessLogBuilder.build(message.accessLog, at: "\(path).access_log", &findings),
            usesServerNameAsCluster: usesServerName,
            mixer: mixer
        )
    }
}
