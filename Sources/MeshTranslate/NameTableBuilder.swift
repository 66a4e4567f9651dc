import MeshModel
import SwiftProtobuf
import XDSAPI

/// The names that a proxy's DNS answers by itself; all others it forwards.
struct NameTableBuilder {
    typealias Table = Istio_Networking_Nds_V1_NameTable

    let scope: ProxyScope

    func table() -> Table {
        var table = Table()
        for service in self.scope.services { self.add(service, to: &table) }
        return table
    }

    /// All that the table says about these hosts, and nothing else.
    func table(of hosts: Set<HostName>) -> Table {
        var table = Table()
        for service in self.scope.services where hosts.contains(service.host) { self.add(service, to: &table) }
        return table
    }

    private func add(_ service: Service, to table: inout Table) {
        let name = service.host.text
        if let alias = service.alias {
            var info = self.info(of: service)
            info.alias = alias.text
            table.unaddressed[name] = info
            return
        }
        if service.isHeadless { return self.addHeadless(service, to: &table) }
        // A block of addresses is what applications may dial, not an answer to give (facts #23).
        let addresses = service.addresses.filter(\.isSingleAddress).map(\.network.description)
        // An external name without an address of its own is worth what the upstream resolver says.
        if addresses.isEmpty { return }
        var info = table.table[name] ?? self.info(of: service)
        for address in addresses where !info.ips.contains(address) { info.ips.append(address) }
        table.table[name] = info
    }

    /// A headless service leads to its endpoints, and those of them that have a host name have a name each.
    private func addHeadless(_ service: Service, to table: inout Table) {
        let name = service.host.text
        let instances = self.scope.snapshot.instances[ServiceKey(service), default: []]
        var info = self.info(of: service)
        // Without an endpoint the name is there all the same: nothing is to be asked of other servers, which would
        // say that it does not exist.
        guard !instances.isEmpty else {
            table.unaddressed[name] = info
            return
        }
        // One address may be in two slices, with a host name and without.
        info.ips = Set(instances.map(\.address)).sorted().map(\.description)
        let named = Dictionary(grouping: instances.filter { $0.hostName != nil }) { $0.hostName ?? "" }
        info.instances = named.keys.sorted()
        for (label, found) in named {
            var own = Table.NameInfo()
            own.ips = found.map(\.address.description)
            own.registry = info.registry
            own.namespace = info.namespace
            own.shortname = "\(label).\(info.shortname)"
            table.table["\(label).\(name)"] = own
        }
        table.table[name] = info
    }

    private func info(of service: Service) -> Table.NameInfo {
        .with {
            $0.registry = service.isKubernetes ? "Kubernetes" : "External"
            $0.namespace = service.namespace
            guard service.isKubernetes else { return }
            $0.shortname = service.source.id.name
            $0.ports = service.ports.filter { !$0.name.isEmpty }.map { port in
                .with {
                    $0.name = port.name
                    if port.applicationProtocol == .udp { $0.transport = "udp" }
                    $0.port = UInt32(self.number(of: port, of: service).number)
                }
            }
        }
    }

    /// Clients of a headless service dial its endpoints, so they must be told the port that these listen on.
    private func number(of port: ServicePort, of service: Service) -> Port {
        guard service.isHeadless else { return port.port }
        let endpoints = self.scope.snapshot.endpoints[ServiceKey(service), default: []]
        return endpoints.first { $0.servicePortName == port.name }?.port ?? port.port
    }
}
