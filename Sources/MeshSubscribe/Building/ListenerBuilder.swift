internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Listeners with their filter chains.
struct ListenerBuilder {
    private var registry: ClusterRegistry

    /// Adds a finding for everything that is wrong; the listener is usable only if there was none.
    static func build(
        _ message: Envoy_Config_Listener_V3_Listener,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> Listener? {
        var builder = ListenerBuilder(registry: registry)
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
            restoresDestination: inspection.destination || message.useOriginalDst.value
        )
    }

    private static func isBound(_ message: Envoy_Config_Listener_V3_Listener) -> Bool {
        if message.hasBindToPort { return message.bindToPort.value }
        return message.deprecatedV1.hasBindToPort ? message.deprecatedV1.bindToPort.value : true
    }

    private static func inspection(
        _ filters: [Envoy_Config_Listener_V3_ListenerFilter],
        at path: String,
        _ findings: inout Findings
    ) -> (http: Bool, tls: Bool, destination: Bool) {
        var result = (http: false, tls: false, destination: false)
        for (index, filter) in filters.enumerated() {
            switch filter.typedConfig.typeURL {
            case TypeURL.originalDestination: result.destination = true
            case TypeURL.tlsInspector: result.tls = true
            case TypeURL.httpInspector: result.http = true
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

    private mutating func chain(
        _ message: Envoy_Config_Listener_V3_FilterChain,
        at path: String,
        _ findings: inout Findings
    ) -> FilterChain? {
        TransportSocketCheck.check(message.transportSocket, message.hasTransportSocket, at: path, &findings)
        let match = Self.match(message.filterChainMatch, at: "\(path).filter_chain_match", &findings)
        var terminals: [FilterChain.Terminal] = []
        for (index, filter) in message.filters.enumerated() {
            let path = "\(path).filters[\(index)]"
            if let terminal = self.terminal(filter, at: path, &findings) { terminals.append(terminal) }
        }
        guard message.filters.count == 1 else {
            findings.add("\(path).filters", "exactly one filter is supported, there are \(message.filters.count)")
            return nil
        }
        return terminals.first.map { FilterChain(name: message.name, match: match, terminal: $0) }
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
        at path: String,
        _ findings: inout Findings
    ) -> FilterChain.Terminal? {
        let inner = "\(path).typed_config"
        switch filter.typedConfig.typeURL {
        case TypeURL.httpConnectionManager:
            typealias Message = ConnectionManagerBuilder.Message
            guard let message = filter.typedConfig.unpacked(Message.self, at: inner, &findings) else { return nil }
            return ConnectionManagerBuilder.build(message, at: inner, &self.registry, &findings).map { .http($0) }
        case TypeURL.tcpProxy:
            typealias Message = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy
            guard let message = filter.typedConfig.unpacked(Message.self, at: inner, &findings) else { return nil }
            return self.tcpProxy(message, at: inner, &findings).map { .tcp($0) }
        default:
            let typeURL = filter.typedConfig.typeURL
            findings.add(path, ExtensionPoint.networkFilter.refusal(name: filter.name, typeURL: typeURL))
            return nil
        }
    }

    private mutating func tcpProxy(
        _ message: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy,
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
            accessLogs: AccessLogBuilder.build(message.accessLog, at: "\(path).access_log", &findings)
        )
    }
}

/// Transport sockets: plain ones only, so far.
enum TransportSocketCheck {
    static func check(
        _ message: Envoy_Config_Core_V3_TransportSocket,
        _ isSet: Bool,
        at path: String,
        _ findings: inout Findings
    ) {
        guard isSet, message.typedConfig.typeURL != TypeURL.rawBuffer else { return }
        findings.add(
            joined(path, "transport_socket"),
            ExtensionPoint.transportSocket.refusal(name: message.name, typeURL: message.typedConfig.typeURL)
        )
    }
}
