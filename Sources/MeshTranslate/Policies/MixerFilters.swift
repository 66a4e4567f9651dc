import MeshModel
import SwiftProtobuf
import XDSAPI

/// The filters that have the policy engine asked about requests and connections, and told what became of them: Istio's
/// `mixer`, for HTTP and for bytes.
///
/// Without an engine in the mesh settings there is none at all, and never one for stock Envoy, which would refuse it.
struct MixerFilters {
    typealias Chain = Envoy_Config_Listener_V3_FilterChain
    typealias HTTP = Istio_Mixer_V1_Config_Client_HttpClientConfig
    typealias TCP = Istio_Mixer_V1_Config_Client_TcpClientConfig
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
    private typealias Proxy = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy

    /// What filters say but for the engine; `nil`: a chain gets none.
    private struct Settings {
        var http: (Chain) -> HTTP?
        var tcp: (Chain) -> TCP?
    }

    private let engine: PolicyEngineSettings
    /// `nil`: there are no filters at all.
    private let settings: Settings?

    /// In front of a workload, one filter for each declared port: it says which services lead there.
    static func inbound(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> MixerFilters {
        let proxy = proxy.placed(in: snapshot)
        let engine = snapshot.settings.policyEngine.inbound(of: proxy)
        if engine.isOff { return MixerFilters(engine: engine, settings: nil) }
        let workload = InboundMixer(proxy: proxy, snapshot: snapshot, engine: engine)
        func port(_ chain: Chain) -> UInt32? {
            let match = chain.filterChainMatch
            // Nothing comes of a connection to the proxy's own port.
            guard match.hasDestinationPort, match.destinationPort.value != MeshPorts.inbound else { return nil }
            return match.destinationPort.value
        }
        let settings = Settings(
            http: { port($0).map { workload.http(port: $0) } },
            tcp: { port($0).map { workload.tcp(port: $0) } }
        )
        return MixerFilters(engine: engine, settings: settings)
    }

    /// Where requests leave, of workloads or by a gateway. Which service one is for, its cluster says; who tells it, the
    /// proxy knows best, so that proxies need not be told apart. Where nobody is asked or told, proxies of the mesh are at
    /// least told who sends the request.
    static func outbound(of key: OutboundKey, in snapshot: MeshSnapshot) -> MixerFilters {
        let engine = snapshot.settings.policyEngine.outbound(of: key)
        if snapshot.settings.policyEngine.isOff || !key.asksPolicyEngine {
            return MixerFilters(engine: engine, settings: nil)
        }
        let quotas = QuotaFilters(snapshot).ofClients
        let http = HTTP.with {
            $0.mixerAttributes.attributes = ["context.reporter.kind": .text("outbound")]
            if engine.checkServer != nil { $0.serviceConfigs = quotas }
            if !engine.isOff { APIFilters(snapshot).add(to: &$0.serviceConfigs) }
        }
        let tcp = TCP.with {
            $0.mixerAttributes = http.mixerAttributes
            if engine.checkServer != nil { $0.serviceConfigs = quotas }
        }
        // Connections tell other proxies nothing.
        let settings = Settings(http: { _ in http }, tcp: { _ in engine.isOff ? nil : tcp })
        return MixerFilters(engine: engine, settings: settings)
    }

    /// The listeners with the filters in their chains, behind all other policies: whom those refuse, nobody need be
    /// asked about.
    func inserted(into listeners: [Envoy_Config_Listener_V3_Listener]) -> [Envoy_Config_Listener_V3_Listener] {
        guard let settings = self.settings else { return listeners }
        return listeners.map { listener in
            var listener = listener
            for index in listener.filterChains.indices { self.insert(settings, into: &listener.filterChains[index]) }
            if listener.hasDefaultFilterChain { self.insert(settings, into: &listener.defaultFilterChain) }
            return listener
        }
    }

    private func insert(_ settings: Settings, into chain: inout Chain) {
        guard let last = chain.filters.indices.last else { return }
        do {
            switch chain.filters[last].typedConfig.typeURL {
            case TypeURL.httpConnectionManager:
                guard let config = settings.http(chain) else { return }
                var manager = try Manager(unpackingAny: chain.filters[last].typedConfig)
                self.insert(config, into: &manager)
                chain.filters[last].typedConfig = .packing(manager)
            case TypeURL.tcpProxy:
                let proxy = try Proxy(unpackingAny: chain.filters[last].typedConfig)
                guard proxy.cluster != ResourceName.blackHole, var config = settings.tcp(chain) else { return }
                config.transport = self.transport
                let filter = Envoy_Config_Listener_V3_Filter.with {
                    $0.name = "mixer"
                    $0.typedConfig = .packing(config)
                }
                chain.filters.insert(filter, at: last)
            default: return
            }
        } catch {
            // It was packed by this room a moment ago.
            preconditionFailure("a filter of our own cannot be read: \(error)")
        }
    }

    private func insert(_ config: HTTP, into manager: inout Manager) {
        var config = config
        config.transport = self.transport
        let filter = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter.with {
            $0.name = "mixer"
            $0.typedConfig = .packing(config)
        }
        // In front of what routes have settings for, and of the router, which is always the last.
        manager.httpFilters.insert(filter, at: CrossOrigin.place(in: manager.httpFilters))
        // Rules about paths are worth nothing if `/a/../b` is none of them.
        if self.engine.checkServer != nil { manager.normalizePath.value = true }
    }

    private var transport: Istio_Mixer_V1_Config_Client_TransportConfig {
        func cluster(_ server: PolicyEngineSettings.Server?) -> String {
            server.map { ResourceName.outboundCluster($0.host, port: $0.port) } ?? ""
        }
        return .with {
            $0.networkFailPolicy.policy = self.engine.failsOpen ? .failOpen : .failClose
            $0.checkCluster = cluster(self.engine.checkServer)
            $0.reportCluster = cluster(self.engine.reportServer)
            // What proxies do anyway need not be said.
            if self.engine.checkTimeout != PolicyEngineSettings().checkTimeout {
                $0.checkTimeout = Google_Protobuf_Duration(self.engine.checkTimeout)
            }
        }
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
