import KubernetesAPI
import MeshModel

/// Joins addresses with the pods behind them.
struct EndpointJoin {
    let objects: MeshObjects

    /// Endpoints of any service by its key; none if there is no such service.
    func endpoints(of key: ServiceKey) -> [Endpoint]? {
        let object = ObjectKey(namespace: key.source.id.namespace, name: key.source.id.name)
        switch MeshKind(rawValue: key.source.kind) {
        case .service: return self.objects.services[object]?.value.map { self.endpoints(of: $0, key: object) }
        case .serviceEntry:
            guard let entry = self.objects.serviceEntries[object]?.value,
                let service = entry.services.first(where: { $0.host == key.host })
            else { return nil }
            return self.endpoints(of: service, in: entry)
        case .endpointSlice, .pod, .virtualService, .destinationRule, .configMap, nil: return nil
        }
    }

    /// Endpoints of a Kubernetes service, in order of their addresses.
    func endpoints(of facts: ServiceFacts, key: ObjectKey) -> [Endpoint] {
        var result = facts.ownEndpoints
        var seen: Set<Seen> = []
        for slice in self.objects.index.slices(of: key).compactMap({ self.objects.slices[$0]?.value }) {
            for entry in slice.entries {
                let pod = self.pod(of: entry)
                for port in slice.ports where facts.service.ports.contains(where: { $0.name == port.name }) {
                    // An address may be in two slices while it moves from one to the other.
                    guard seen.insert(Seen(address: entry.address, port: port)).inserted else { continue }
                    result.append(
                        Endpoint(
                            address: entry.address,
                            port: port.port,
                            servicePortName: port.name,
                            labels: pod?.workload.labels ?? [:],
                            workload: pod?.workload.id,
                            serviceAccount: pod?.workload.serviceAccount,
                            isReady: entry.isReady || facts.publishesNotReady
                        )
                    )
                }
            }
        }
        return result.sorted(by: Self.isBefore)
    }

    /// Endpoints of one host of a ServiceEntry: those it names, and the pods it selects.
    func endpoints(of service: MeshModel.Service, in entry: EntryFacts) -> [Endpoint] {
        var result = entry.endpoints[service.host] ?? []
        if let selector = entry.workloadSelector {
            for pod in self.objects.pods.values.compactMap(\.value) {
                guard pod.workload.id.namespace == service.namespace,
                    selector.allSatisfy({ pod.workload.labels[$0.key] == $0.value })
                else { continue }
                for port in service.ports {
                    result.append(
                        Endpoint(
                            address: .ip(pod.workload.address),
                            port: entry.targetPorts[port.name] ?? port.port,
                            servicePortName: port.name,
                            labels: pod.workload.labels,
                            workload: pod.workload.id,
                            serviceAccount: pod.workload.serviceAccount,
                            isReady: pod.isReady
                        )
                    )
                }
            }
        }
        return result.sorted(by: Self.isBefore)
    }

    /// Pods by address, apart from those that share their node's.
    func workloads() -> [IPAddress: Workload] {
        var result: [IPAddress: Workload] = [:]
        for address in self.objects.index.podAddresses {
            if let pod = self.pod(at: address) { result[address] = pod.workload }
        }
        return result
    }

    private struct Seen: Hashable {
        var address: Endpoint.Address
        var port: SliceFacts.SlicePort
    }

    private func pod(of entry: SliceFacts.Entry) -> PodFacts? {
        if let key = entry.pod { return self.objects.pods[key]?.value }
        guard case .ip(let address) = entry.address else { return nil }
        return self.pod(at: address)
    }

    /// The youngest pod with the address: an older one has lost it.
    private func pod(at address: IPAddress) -> PodFacts? {
        self.objects.index.pods(at: address).compactMap { self.objects.pods[$0]?.value }
            .filter { !$0.usesHostNetwork }
            .max { ($0.createdAt, $0.workload.id) < ($1.createdAt, $1.workload.id) }
    }

    private static func isBefore(_ left: Endpoint, _ right: Endpoint) -> Bool {
        switch (left.address, right.address) {
        case (.ip(let a), .ip(let b)) where a != b: return a < b
        case (.name(let a), .name(let b)) where a != b: return a < b
        case (.ip, .name): return true
        case (.name, .ip): return false
        default: return (left.servicePortName, left.port) < (right.servicePortName, right.port)
        }
    }
}
