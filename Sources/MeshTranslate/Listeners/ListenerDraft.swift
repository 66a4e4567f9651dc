import MeshModel
import SwiftProtobuf
import XDSAPI

/// A listener being put together; sees to it that no two filter chains ask for the same, which Envoy refuses.
struct ListenerDraft {
    private struct Criterion: Hashable {
        var port: UInt32
        var prefix: CIDR?
        var serverName: String
        var applicationProtocol: String
    }

    private(set) var listener: Envoy_Config_Listener_V3_Listener
    private let settings: MeshSettings
    private var taken: Set<Criterion> = []

    init(
        name: String,
        address: String,
        port: UInt16,
        direction: Envoy_Config_Core_V3_TrafficDirection,
        settings: MeshSettings
    ) {
        self.settings = settings
        self.listener = .with {
            $0.name = name
            $0.address = .socket(address, port)
            $0.trafficDirection = direction
        }
    }

    /// The filters of connections that no other chain takes.
    mutating func setDefault(_ name: String, _ filter: Envoy_Config_Listener_V3_Filter) {
        self.listener.defaultFilterChain = .with {
            $0.name = name
            $0.filters = [filter]
        }
    }

    /// Adds a chain for what earlier chains have left over of the given conditions, if anything.
    mutating func add(
        _ name: String,
        port: UInt16? = nil,
        prefixes: [CIDR] = [],
        serverNames: [HostName] = [],
        applicationProtocols: [String] = [],
        _ filter: Envoy_Config_Listener_V3_Filter
    ) {
        let free = prefixes.isEmpty ? [nil] : prefixes.map(Optional.some)
        let names = serverNames.isEmpty ? [""] : serverNames.map(\.text)
        let words = applicationProtocols.isEmpty ? [""] : applicationProtocols
        let left = free.filter { prefix in
            let criteria = names.flatMap { name in
                words.map {
                    Criterion(port: UInt32(port ?? 0), prefix: prefix, serverName: name, applicationProtocol: $0)
                }
            }
            // All or nothing for one block: half of its names elsewhere would be a surprise.
            guard criteria.allSatisfy({ !self.taken.contains($0) }) else { return false }
            self.taken.formUnion(criteria)
            return true
        }
        guard !left.isEmpty else { return }
        self.listener.filterChains.append(
            .with {
                $0.name = name
                $0.filters = [filter]
                $0.filterChainMatch = .with {
                    if let port { $0.destinationPort = Google_Protobuf_UInt32Value(UInt32(port)) }
                    $0.prefixRanges = left.compactMap { $0.map(Envoy_Config_Core_V3_CidrRange.init) }
                    $0.serverNames = serverNames.map(\.text)
                    $0.applicationProtocols = applicationProtocols
                }
            }
        )
        if !serverNames.isEmpty { self.inspectTLS() }
        if !applicationProtocols.isEmpty { self.inspectHTTP() }
    }

    /// Reads where a redirected connection was going.
    mutating func restoreDestination() {
        self.addListenerFilter("envoy.filters.listener.original_dst") {
            .packing(Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst())
        }
    }

    /// Reachable only through the listener that interception leads to.
    mutating func setUnbound() { self.listener.bindToPort = Google_Protobuf_BoolValue(false) }

    mutating func handOver() { self.listener.useOriginalDst = Google_Protobuf_BoolValue(true) }

    private mutating func inspectTLS() {
        self.addListenerFilter("envoy.filters.listener.tls_inspector") {
            .packing(Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector())
        }
        self.limitInspection()
    }

    private mutating func inspectHTTP() {
        self.addListenerFilter("envoy.filters.listener.http_inspector") {
            .packing(Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector())
        }
        self.limitInspection()
    }

    private mutating func limitInspection() {
        self.listener.listenerFiltersTimeout = Google_Protobuf_Duration(self.settings.protocolDetectionTimeout)
        self.listener.continueOnListenerFiltersTimeout = true
    }

    private mutating func addListenerFilter(_ name: String, _ configuration: () -> Google_Protobuf_Any) {
        guard !self.listener.listenerFilters.contains(where: { $0.name == name }) else { return }
        self.listener.listenerFilters.append(
            .with {
                $0.name = name
                $0.typedConfig = configuration()
            }
        )
    }
}
