import MeshModel
import SwiftProtobuf
import XDSAPI

/// The filters that have the policy engine asked about requests, and told what became of them: Istio's `mixer`.
///
/// Without an engine in the mesh settings there is none at all, and never one for stock Envoy, which would refuse it.
struct MixerFilters {
    typealias Config = Istio_Mixer_V1_Config_Client_HttpClientConfig
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

    private let engine: PolicyEngineSettings
    /// `nil`: there are no filters at all.
    private let config: ((Envoy_Config_Listener_V3_FilterChain) -> Config?)?

    /// - Parameters:
    ///   - engine: as it holds for these chains.
    ///   - config: the filter's settings in a chain, but for the engine; `nil`: the chain gets none.
    private init(
        _ engine: PolicyEngineSettings,
        config: ((Envoy_Config_Listener_V3_FilterChain) -> Config?)? = nil
    ) {
        self.engine = engine
        self.config = config
    }

    /// In front of a workload, one filter for each declared port: it says which services lead there.
    static func inbound(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> MixerFilters {
        let proxy = proxy.placed(in: snapshot)
        let engine = snapshot.settings.policyEngine.inbound(of: proxy)
        if engine.isOff { return MixerFilters(engine) }
        let settings = InboundMixer(proxy: proxy, snapshot: snapshot, engine: engine)
        return MixerFilters(engine) { chain in
            guard chain.filterChainMatch.hasDestinationPort else { return nil }
            return settings.config(port: chain.filterChainMatch.destinationPort.value)
        }
    }

    /// Where requests leave, of workloads or by a gateway. Which service one is for, its cluster says; who tells it, the
    /// proxy knows best, so that proxies need not be told apart. Where nobody is asked or told, proxies of the mesh are at
    /// least told who sends the request.
    static func outbound(of key: OutboundKey, in snapshot: MeshSnapshot) -> MixerFilters {
        let engine = snapshot.settings.policyEngine.outbound(of: key)
        if snapshot.settings.policyEngine.isOff || !key.asksPolicyEngine { return MixerFilters(engine) }
        let config = Config.with {
            $0.mixerAttributes.attributes = ["context.reporter.kind": .text("outbound")]
            if engine.checkServer != nil { $0.serviceConfigs = QuotaFilters(snapshot).ofClients }
        }
        return MixerFilters(engine) { _ in config }
    }

    /// The listeners with the filters in their HTTP chains, behind all other policies: whom those refuse, nobody need be
    /// asked about.
    func inserted(into listeners: [Envoy_Config_Listener_V3_Listener]) -> [Envoy_Config_Listener_V3_Listener] {
        guard let config = self.config else { return listeners }
        return listeners.map { listener in
            var listener = listener
            for index in listener.filterChains.indices { self.insert(config, into: &listener.filterChains[index]) }
            if listener.hasDefaultFilterChain { self.insert(config, into: &listener.defaultFilterChain) }
            return listener
        }
    }

    private func insert(
        _ config: (Envoy_Config_Listener_V3_FilterChain) -> Config?,
        into chain: inout Envoy_Config_Listener_V3_FilterChain
    ) {
        guard let last = chain.filters.indices.last,
            chain.filters[last].typedConfig.typeURL == TypeURL.httpConnectionManager, var config = config(chain)
        else { return }
        config.transport.networkFailPolicy.policy = self.engine.failsOpen ? .failOpen : .failClose
        config.transport.checkCluster = self.engine.checkServer.map(Self.cluster) ?? ""
        config.transport.reportCluster = self.engine.reportServer.map(Self.cluster) ?? ""
        do {
            var manager = try Manager(unpackingAny: chain.filters[last].typedConfig)
            let filter = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter.with {
                $0.name = "mixer"
                $0.typedConfig = .packing(config)
            }
            // In front of the router, which is always the last.
            manager.httpFilters.insert(filter, at: max(0, manager.httpFilters.count - 1))
            // Rules about paths are worth nothing if `/a/../b` is none of them.
            if self.engine.checkServer != nil { manager.normalizePath.value = true }
            chain.filters[last].typedConfig = .packing(manager)
        } catch {
            // It was packed by this room a moment ago.
            preconditionFailure("a connection manager of our own cannot be read: \(error)")
        }
    }

    private static func cluster(_ server: PolicyEngineSettings.Server) -> String {
        ResourceName.outboundCluster(server.host, port: server.port)
    }
}

extension PolicyEngineSettings {
    /// As they hold for requests that reach a workload. At gateways requests leave as they come in.
    func inbound(of proxy: ProxyKey) -> PolicyEngineSettings {
        proxy.role == .sidecar && proxy.asksPolicyEngine ? self.chosen(proxy.policyCheck) : PolicyEngineSettings()
    }

    /// As they hold for requests that leave: gateways ask about all of them, sidecars only if that is wanted, since
    /// requests are asked about where they arrive.
    func outbound(of key: OutboundKey) -> PolicyEngineSettings {
        guard key.asksPolicyEngine else { return PolicyEngineSettings() }
        var engine = self.chosen(key.policyCheck)
        if key.role == .sidecar, !engine.checksClients { engine.checkServer = nil }
        return engine
    }

    private func chosen(_ choice: PolicyCheckChoice?) -> PolicyEngineSettings {
        var engine = self
        switch choice {
        case .disable: engine.checkServer = nil
        case .allowOnError: engine.failsOpen = true
        case .enable, nil: ()
        }
        return engine
    }
}
