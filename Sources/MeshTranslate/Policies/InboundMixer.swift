import MeshModel
import SwiftProtobuf
import XDSAPI

import struct Foundation.Data

/// What the filters `mixer` in front of a workload say about it, port by port.
struct InboundMixer {
    private typealias Value = Istio_Mixer_V1_Attributes.AttributeValue

    private let proxy: ProxyKey
    private let engine: PolicyEngineSettings
    private let quotas: QuotaFilters
    private let interfaces: APIFilters
    /// Services that lead to the workload's ports, oldest first.
    private let services: [UInt32: [Service]]

    init(proxy: ProxyKey, snapshot: MeshSnapshot, engine: PolicyEngineSettings) {
        self.proxy = proxy
        self.engine = engine
        self.quotas = QuotaFilters(snapshot)
        self.interfaces = APIFilters(snapshot)
        self.services = Self.services(of: proxy, in: snapshot)
    }

    private static func services(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> [UInt32: [Service]] {
        var found: [UInt32: [Service]] = [:]
        for service in snapshot.services {
            for endpoint in snapshot.endpoints[ServiceKey(service), default: []]
            where endpoint.cluster.isEmpty
                && (endpoint.workload == proxy.workload || endpoint.address == .ip(proxy.address))
            {
                let port = UInt32(endpoint.port.number)
                // Hosts may repeat, and a service may lead to one port by two of its own.
                if found[port]?.contains(where: { $0.host == service.host }) ?? false { continue }
                found[port, default: []].append(service)
            }
        }
        return found
    }

    /// Of bytes nobody can tell which service is meant: the oldest.
    func tcp(port: UInt32) -> MixerFilters.TCP {
        .with {
            $0.mixerAttributes.attributes = self.attributes(port: port)
            guard let service = self.services[port]?.first else { return }
            let own = ServiceAttributes.of(service).mapValues { Value.text($0) }
            $0.mixerAttributes.attributes.merge(own) { $1 }
            if self.engine.checkServer != nil {
                $0.connectionQuotaSpec.rules = self.quotas.specs(of: service.host).flatMap(\.rules)
            }
        }
    }

    func http(port: UInt32) -> MixerFilters.HTTP {
        let services = self.services[port, default: []]
        return .with {
            $0.mixerAttributes.attributes = self.attributes(port: port)
            $0.defaultDestinationService = services.first?.host.text ?? ""
            for service in services {
                $0.serviceConfigs[service.host.text] = .with {
                    $0.disableCheckCalls = self.engine.checkServer == nil
                    $0.disableReportCalls = self.engine.reportServer == nil
                    $0.mixerAttributes.attributes = ServiceAttributes.of(service).mapValues { .text($0) }
                    $0.httpApiSpec = self.interfaces.specs(of: service.host)
                    if self.engine.checkServer != nil { $0.quotaSpec = self.quotas.specs(of: service.host) }
                }
            }
        }
    }

    /// Whose traffic it is, and that it is told by the side that receives it.
    private func attributes(port: UInt32) -> [String: Value] {
        let workload = self.proxy.workload
        let uid = "kubernetes://\(workload.name).\(workload.namespace)"
        return [
            "context.reporter.kind": .text("inbound"),
            "context.reporter.uid": .text(uid),
            "destination.uid": .text(uid),
            "destination.namespace": .text(workload.namespace),
            "destination.ip": .with { $0.bytesValue = Data(self.proxy.address.bytes) },
            "destination.port": .with { $0.int64Value = Int64(port) },
        ]
    }
}

/// What the policy engine is told of a service.
enum ServiceAttributes {
    static func of(_ service: Service) -> [String: String] {
        let namespace = service.source.id.namespace
        // One ServiceEntry may have many hosts, each a service.
        let name = service.isKubernetes ? service.source.id.name : service.host.text
        return [
            "destination.service.host": service.host.text,
            "destination.service.name": name,
            "destination.service.namespace": namespace,
            "destination.service.uid": "istio://\(namespace)/services/\(name)",
            // The host's name in old rules.
            "destination.service": service.host.text,
        ]
    }
}

extension Istio_Mixer_V1_Attributes.AttributeValue {
    static func text(_ text: String) -> Self { .with { $0.stringValue = text } }
}
