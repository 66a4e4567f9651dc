package import DNSProxy
package import KubernetesAPI
package import MeshModel

/// Works out the names that the cluster's DNS answers.
package struct ClusterNames {
    package var services: [KubernetesObject]
    package var slices: [KubernetesObject]
    package var endpoints: [KubernetesObject]
    /// Names outside the cluster that this platform serves, with their addresses.
    package var outside: [String: IPAddress]

    package init(
        services: [KubernetesObject],
        slices: [KubernetesObject],
        endpoints: [KubernetesObject],
        outside: [String: IPAddress]
    ) {
        self.services = services
        self.slices = slices
        self.endpoints = endpoints
        self.outside = outside
    }

    private static let domain = PlatformNetwork.clusterDomain

    package var table: DNSTable {
        DNSTable(
            hosts: self.hosts,
            viewpoint: DNSViewpoint(clusterDomain: Self.domain),
            zones: [Self.domain, PlatformNetwork.outsideZone]
        )
    }

    package var hosts: [DNSHost] {
        var slicesByService: [ObjectKey: [KubernetesObject]] = [:]
        for slice in self.slices {
            guard let name = slice.labels[EndpointSlice.serviceNameLabel] else { continue }
            slicesByService[ObjectKey(namespace: slice.namespace, name: name), default: []].append(slice)
        }
        let legacy = Dictionary(self.endpoints.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        return self.services.compactMap { service in
            self.host(service, slices: slicesByService[service.key] ?? [], endpoints: legacy[service.key])
        } + self.outside.map { DNSHost(name: $0.key, addresses: [$0.value]) }
    }

    private func host(_ service: KubernetesObject, slices: [KubernetesObject], endpoints: KubernetesObject?) -> DNSHost?
    {
        let namespace = service.namespace ?? "default"
        var host = DNSHost(
            name: "\(service.name).\(namespace).svc.\(Self.domain)",
            addresses: [],
            registry: .kubernetes(name: service.name, namespace: namespace)
        )
        for port in service.spec["ports"]?.array ?? [] {
            guard let name = port["name"]?.string, !name.isEmpty,
                let number = port["port"]?.int.flatMap(UInt16.init(exactly:))
            else { continue }
            let transport = (port["protocol"]?.string ?? "TCP").lowercased()
            host.ports.append(DNSHost.NamedPort(name: name, transport: transport, port: number))
        }
        if service.spec["type"]?.string == "ExternalName" {
            host.alias = service.spec["externalName"]?.string
            return host
        }
        guard let clusterIP = service.spec["clusterIP"]?.string, !clusterIP.isEmpty else { return nil }
        if clusterIP != "None" {
            host.addresses = [IPAddress(clusterIP)].compactMap { $0 }
            return host
        }
        self.addEndpoints(to: &host, slices, endpoints, all: service.spec["publishNotReadyAddresses"]?.bool ?? false)
        return host
    }

    /// A headless service leads to its ready endpoints, and each of them that has a host name has a name of its own.
    private func addEndpoints(
        to host: inout DNSHost,
        _ slices: [KubernetesObject],
        _ endpoints: KubernetesObject?,
        all: Bool
    ) {
        var addresses = Set<IPAddress>()
        for slice in slices {
            for endpoint in slice.json["endpoints"]?.array ?? []
            where all || endpoint[path: "conditions", "ready"]?.bool ?? true {
                for text in endpoint["addresses"]?.array ?? [] {
                    guard let address = text.string.flatMap({ IPAddress($0) }) else { continue }
                    addresses.insert(address)
                    if let name = endpoint["hostname"]?.string, !name.isEmpty { host.instances[name] = address }
                }
            }
        }
        if slices.isEmpty, let endpoints {
            for subset in endpoints.json["subsets"]?.array ?? [] {
                for entry in subset["addresses"]?.array ?? [] {
                    if let address = entry["ip"]?.string.flatMap({ IPAddress($0) }) { addresses.insert(address) }
                }
            }
        }
        host.addresses = addresses.sorted()
    }
}
