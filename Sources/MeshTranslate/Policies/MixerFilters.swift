import MeshModel
import SwiftProtobuf
import XDSAPI

import struct Foundation.Data

/// The filters that ask the policy engine about requests to a workload, and tell it what became of them: Istio's
/// `mixer`, one for each port, since each says which service it speaks for.
///
/// Without an engine in the mesh settings there is none at all, and never one for stock Envoy, which would refuse it.
struct MixerFilters {
    private typealias Config = Istio_Mixer_V1_Config_Client_HttpClientConfig
    private typealias Value = Istio_Mixer_V1_Attributes.AttributeValue
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

    private let proxy: ProxyKey
    private let snapshot: MeshSnapshot
    private let engine: PolicyEngineSettings

    init(proxy: ProxyKey, snapshot: MeshSnapshot) {
        self.proxy = proxy
        self.snapshot = snapshot
        var engine = snapshot.settings.policyEngine
        switch snapshot.workloads[proxy.address]?.policyCheck {
        case .disable: engine.checkServer = nil
        case .allowOnError: engine.failsOpen = true
        case .enable, nil: ()
        }
        // Requests at gateways are asked about where they arrive.
        let isAsking = proxy.role == .sidecar && proxy.asksPolicyEngine
        self.engine = isAsking ? engine : PolicyEngineSettings()
    }

    /// The listeners with the filters in their HTTP chains for declared ports, behind all other policies: whom those
    /// refuse, nobody need be asked about.
    func inserted(into listeners: [Envoy_Config_Listener_V3_Listener]) -> [Envoy_Config_Listener_V3_Listener] {
        if self.engine.isOff { return listeners }
        let services = self.services()
        return listeners.map { listener in
            var listener = listener
            for index in listener.filterChains.indices { self.insert(services, into: &listener.filterChains[index]) }
            return listener
        }
    }

    private func insert(
        _ services: [UInt32: Service],
        into chain: inout Envoy_Config_Listener_V3_FilterChain
    ) {
        guard let last = chain.filters.indices.last, chain.filterChainMatch.hasDestinationPort,
            chain.filters[last].typedConfig.typeURL == TypeURL.httpConnectionManager
        else { return }
        let port = chain.filterChainMatch.destinationPort.value
        do {
            var manager = try Manager(unpackingAny: chain.filters[last].typedConfig)
            let filter = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter.with {
                $0.name = "mixer"
                $0.typedConfig = .packing(self.config(services[port], port: port))
            }
            // In front of the router, which is always the last.
            manager.httpFilters.insert(filter, at: max(0, manager.httpFilters.count - 1))
            chain.filters[last].typedConfig = .packing(manager)
        } catch {
            // It was packed by this room a moment ago.
            preconditionFailure("a connection manager of our own cannot be read: \(error)")
        }
    }

    /// The workload's ports and, of the services that lead to one, the oldest.
    private func services() -> [UInt32: Service] {
        var found: [UInt32: Service] = [:]
        for service in self.snapshot.services {
            for endpoint in self.snapshot.endpoints[ServiceKey(service), default: []]
            where endpoint.cluster.isEmpty
                && (endpoint.workload == self.proxy.workload || endpoint.address == .ip(self.proxy.address))
            {
                let port = UInt32(endpoint.port.number)
                if found[port] == nil { found[port] = service }
            }
        }
        return found
    }

    // MARK: One filter

    private func config(_ service: Service?, port: UInt32) -> Config {
        .with {
            $0.transport.networkFailPolicy.policy = self.engine.failsOpen ? .failOpen : .failClose
            $0.transport.checkCluster = self.engine.checkServer.map(Self.cluster) ?? ""
            $0.transport.reportCluster = self.engine.reportServer.map(Self.cluster) ?? ""
            $0.mixerAttributes.attributes = self.attributes(port: port)
            let host = service?.host.text ?? ""
            $0.defaultDestinationService = host
            $0.serviceConfigs[host] = Istio_Mixer_V1_Config_Client_ServiceConfig.with {
                $0.disableCheckCalls = self.engine.checkServer == nil
                $0.disableReportCalls = self.engine.reportServer == nil
                if let service {
                    $0.mixerAttributes.attributes = Self.attributes(of: service)
                    $0.quotaSpec = self.quotas(of: service.host)
                }
            }
        }
    }

    private static func cluster(_ server: PolicyEngineSettings.Server) -> String {
        "outbound|\(server.port)||\(server.host)"
    }

    /// Whose traffic it is, and that it is told by the side that receives it.
    private func attributes(port: UInt32) -> [String: Value] {
        let workload = self.proxy.workload
        let uid = "kubernetes://\(workload.name).\(workload.namespace)"
        return [
            "context.reporter.kind": Self.text("inbound"),
            "context.reporter.uid": Self.text(uid),
            "destination.uid": Self.text(uid),
            "destination.namespace": Self.text(workload.namespace),
            "destination.ip": .with { $0.bytesValue = Data(self.proxy.address.bytes) },
            "destination.port": .with { $0.int64Value = Int64(port) },
        ]
    }

    private static func attributes(of service: Service) -> [String: Value] {
        let id = service.source.id
        var attributes = ["destination.service.host": Self.text(service.host.text)]
        guard service.isKubernetes else { return attributes }
        attributes["destination.service.name"] = Self.text(id.name)
        attributes["destination.service.namespace"] = Self.text(id.namespace)
        attributes["destination.service.uid"] = Self.text("istio://\(id.namespace)/services/\(id.name)")
        // Its name in old rules.
        attributes["destination.service"] = Self.text(service.host.text)
        return attributes
    }

    private static func text(_ text: String) -> Value { .with { $0.stringValue = text } }

    private func quotas(of host: HostName) -> [Istio_Mixer_V1_Config_Client_QuotaSpec] {
        self.snapshot.quotas.filter { $0.hosts.contains { $0.covers(host) } }.map { binding in
            .with {
                $0.rules = binding.rules.map { rule in
                    .with {
                        $0.match = rule.matches.map { match in .with { $0.clause = match.mapValues(Self.match) } }
                        $0.quotas = rule.charges.sorted { $0.key < $1.key }.map { name, amount in
                            .with {
                                $0.quota = name
                                $0.charge = amount
                            }
                        }
                    }
                }
            }
        }
    }

    private static func match(_ match: StringMatch) -> Istio_Mixer_V1_Config_Client_StringMatch {
        .with {
            switch match {
            case .exact(let text): $0.exact = text
            case .prefix(let text): $0.prefix = text
            case .regex(let text): $0.regex = text
            }
        }
    }
}
