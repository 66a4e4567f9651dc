package import KubernetesAPI
import MeshModel

/// The Services of the cluster with those who answer them, as the host's rules and the node ports need them.
package struct ServiceTable: Hashable, Sendable {
    /// A port of this machine that leads to a service.
    package struct NodePort: Hashable, Sendable {
        package var port: Int
        package var name: String
        package var backends: [ServiceRoute.Backend]
    }

    package var routes: [ServiceRoute] = []
    package var nodePorts: [NodePort] = []

    package init(services: [KubernetesObject], slices: [KubernetesObject], endpoints: [KubernetesObject]) {
        var slicesByService: [ObjectKey: [KubernetesObject]] = [:]
        for slice in slices {
            guard let name = slice.labels[EndpointSlice.serviceNameLabel] else { continue }
            slicesByService[ObjectKey(namespace: slice.namespace, name: name), default: []].append(slice)
        }
        let legacy = Dictionary(endpoints.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        for service in services {
            let backends = Self.backends(slices: slicesByService[service.key] ?? [], endpoints: legacy[service.key])
            for port in service.spec["ports"]?.array ?? [] {
                self.add(port, of: service, backends: backends[port["name"]?.string ?? ""] ?? [])
            }
        }
        self.routes.sort()
        self.nodePorts.sort { $0.port < $1.port }
    }

    private mutating func add(_ port: JSONValue, of service: KubernetesObject, backends: [ServiceRoute.Backend]) {
        guard let number = port["port"]?.int else { return }
        let name = "\(service.key):\(port["name"]?.string ?? String(number))"
        let isTCP = (port["protocol"]?.string ?? "TCP") == "TCP"
        let outside = (service.status[path: "loadBalancer", "ingress"]?.array ?? []).compactMap { $0["ip"]?.string }
        for text in [service.spec["clusterIP"]?.string ?? ""] + outside {
            guard let address = IPAddress(text) else { continue }
            self.routes.append(
                ServiceRoute(
                    name: name,
                    address: address,
                    port: number,
                    transport: isTCP ? .tcp : .udp,
                    backends: backends
                )
            )
        }
        if isTCP, let nodePort = port["nodePort"]?.int, nodePort > 0 {
            self.nodePorts.append(NodePort(port: nodePort, name: name, backends: backends.sorted()))
        }
    }

    /// Ready endpoints by the name of the port. Slices win over the older form.
    private static func backends(
        slices: [KubernetesObject],
        endpoints: KubernetesObject?
    ) -> [String: [ServiceRoute.Backend]] {
        var found: [String: Set<ServiceRoute.Backend>] = [:]
        func add(_ address: JSONValue?, _ port: JSONValue) {
            guard let text = address?.string, let ip = IPAddress(text), case .v4 = ip, let number = port["port"]?.int
            else {
                return
            }
            found[port["name"]?.string ?? "", default: []].insert(ServiceRoute.Backend(address: ip, port: number))
        }
        for slice in slices {
            for port in slice.json["ports"]?.array ?? [] {
                for endpoint in slice.json["endpoints"]?.array ?? []
                where endpoint[path: "conditions", "ready"]?.bool ?? true {
                    for address in endpoint["addresses"]?.array ?? [] { add(address, port) }
                }
            }
        }
        if slices.isEmpty, let endpoints {
            for subset in endpoints.json["subsets"]?.array ?? [] {
                for port in subset["ports"]?.array ?? [] {
                    for address in subset["addresses"]?.array ?? [] { add(address["ip"], port) }
                }
            }
        }
        return found.mapValues { $0.sorted() }
    }
}
