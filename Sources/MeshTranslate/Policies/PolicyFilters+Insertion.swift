import MeshModel
import SwiftProtobuf
import XDSAPI

extension PolicyFilters {
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

    /// The listeners with these filters in all of their chains.
    ///
    /// Done to finished listeners, so that no chain of a sidecar or gateway can be built past the policies.
    func inserted(into listeners: [Envoy_Config_Listener_V3_Listener]) -> [Envoy_Config_Listener_V3_Listener] {
        if self.isEmpty { return listeners }
        return listeners.map { listener in
            var listener = listener
            for index in listener.filterChains.indices { self.insert(into: &listener.filterChains[index]) }
            if listener.hasDefaultFilterChain { self.insert(into: &listener.defaultFilterChain) }
            return listener
        }
    }

    private func insert(into chain: inout Envoy_Config_Listener_V3_FilterChain) {
        guard let last = chain.filters.indices.last else { return }
        guard chain.filters[last].typedConfig.typeURL == TypeURL.httpConnectionManager else {
            chain.filters.insert(contentsOf: self.network, at: 0)
            return
        }
        do {
            var manager = try Manager(unpackingAny: chain.filters[last].typedConfig)
            // In front of what routes have settings for, and of the router, which is always the last.
            manager.httpFilters.insert(contentsOf: self.http, at: CrossOrigin.place(in: manager.httpFilters))
            // Rules about paths are worth nothing if `/a/../b` is none of them (Istio's default).
            manager.normalizePath = Google_Protobuf_BoolValue(true)
            chain.filters[last].typedConfig = .packing(manager)
        } catch {
            // It was packed by this room a moment ago.
            preconditionFailure("a connection manager of our own cannot be read: \(error)")
        }
    }
}
