import MeshModel
import SwiftProtobuf
import XDSAPI

/// The names that a proxy's DNS answers by itself; all others it forwards.
struct NameTableBuilder {
    let scope: ProxyScope

    func table() -> Istio_Networking_Nds_V1_NameTable {
        var table = Istio_Networking_Nds_V1_NameTable()
        for service in self.scope.services {
            let addresses = self.addresses(of: service)
            // Without an address of its own a name is worth what the upstream resolver says.
            if addresses.isEmpty { continue }
            var entry = table.table[service.host.text] ?? Self.entry(of: service)
            for address in addresses where !entry.ips.contains(address) { entry.ips.append(address) }
            table.table[service.host.text] = entry
        }
        return table
    }

    private func addresses(of service: Service) -> [String] {
        if service.isHeadless {
            let addresses = self.scope.readyEndpoints(of: service).compactMap { endpoint -> IPAddress? in
                if case .ip(let address) = endpoint.address { address } else { nil }
            }
            return Set(addresses).sorted().map(\.description)
        }
        // A block of addresses is what applications may dial, not an answer to give (facts #23).
        return service.addresses.filter(\.isSingleAddress).map(\.network.description)
    }

    private static func entry(of service: Service) -> Istio_Networking_Nds_V1_NameTable.NameInfo {
        .with {
            $0.registry = service.isKubernetes ? "Kubernetes" : "External"
            $0.namespace = service.namespace
            if service.isKubernetes { $0.shortname = service.source.id.name }
        }
    }
}
