import MeshModel
import SwiftProtobuf
import XDSAPI

/// QuotaSpecs as the filter `mixer` has them.
struct QuotaFilters {
    typealias Spec = Istio_Mixer_V1_Config_Client_QuotaSpec

    private let snapshot: MeshSnapshot

    init(_ snapshot: MeshSnapshot) { self.snapshot = snapshot }

    /// Those that are bound to a service.
    func specs(of host: HostName) -> [Spec] {
        self.snapshot.quotas.filter { $0.hosts.contains { $0.covers(host) } }.map(Self.spec)
    }

    /// Those that proxies of clients charge, by the host or the pattern that they are bound to: quotas of services
    /// outside the mesh, where no proxy of ours would. All others are charged once, where requests arrive.
    var ofClients: [String: Istio_Mixer_V1_Config_Client_ServiceConfig] {
        if self.snapshot.quotas.isEmpty { return [:] }
        let outside = Set(self.snapshot.services.lazy.filter(\.isExternal).map(\.host))
        var configs: [String: Istio_Mixer_V1_Config_Client_ServiceConfig] = [:]
        for binding in self.snapshot.quotas {
            for host in Set(binding.hosts) where host.isWildcard || outside.contains(host) {
                configs[host.text, default: .init()].quotaSpec.append(Self.spec(binding))
            }
        }
        return configs
    }

    private static func spec(_ binding: QuotaBinding) -> Spec {
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
