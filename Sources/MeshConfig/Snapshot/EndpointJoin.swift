import KubernetesAPI
import MeshModel

/// Joins addresses with the pods behind them, and services with the WorkloadEntries that they select.
struct EndpointJoin {
    let objects: MeshObjects
    private let machinesByNamespace: [String: [MachineFacts]]

    init(objects: MeshObjects) {
        self.objects = objects
        self.machinesByNamespace = Dictionary(
            grouping: objects.workloadEntries.values.compactMap(\.value).sorted { $0.id < $1.id },
            by: \.id.namespace
        )
    }

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
        case .endpointSlice, .pod, .node, .namespace, .workloadEntry, .workloadGroup, .virtualService, .destinationRule,
            .configMap,
            .gateway, .sidecar, .peerAuthentication, .requestAuthentication, .authorizationPolicy, .policy,
            .meshPolicy, .quotaSpec, .quotaSpecBinding, .apiSpec, .apiSpecBinding, .secret, nil:
            return nil
        }
    }

    /// Endpoints of a Kubernetes service, in order of their addresses.
    func endpoints(of facts: ServiceFacts, key: ObjectKey) -> [Endpoint] {
        var result = facts.ownEndpoints + self.machines(of: facts)
        var seen: Set<Seen> = []
        for slice in self.objects.index.slices(of: key).compactMap({ self.objects.slices[$0]?.value }) {
            for entry in slice.entries {
                let pod = self.pod(of: entry)
                for port in slice.ports where facts.service.ports.contains(where: { $0.name == port.name }) {
                    // An address may be in two slices while it moves from one to the other.
                    guard seen.insert(Seen(address: entry.address, port: port)).inserted else { continue }
                    var endpoint = Endpoint(
                        address: entry.address,
                        port: port.port,
                        servicePortName: port.name,
                        labels: pod?.workload.labels ?? [:],
                        workload: pod?.workload.id,
                        serviceAccount: pod?.workload.serviceAccount,
                        isReady: entry.isReady || facts.publishesNotReady
                    )
                    // Nobody but those who ask pods themselves wants to know.
                    endpoint.isStarting = entry.isStarting && facts.service.activation?.asksPods == true
                    result.append(endpoint.placed(like: pod, in: self.objects))
                }
            }
        }
        for endpoint in self.startingPods(of: facts) {
            let port = SliceFacts.SlicePort(name: endpoint.servicePortName, port: endpoint.port)
            if seen.insert(Seen(address: endpoint.address, port: port)).inserted { result.append(endpoint) }
        }
        return result.sorted(by: Self.isBefore)
    }

    /// Pods as endpoints of a service whose callers ask pods themselves: slices tell of a pod after it has told of itself,
    /// and requests are waiting. None for ports whose number only the pod knows.
    private func startingPods(of facts: ServiceFacts) -> [Endpoint] {
        let service = facts.service
        guard let activation = service.activation, activation.asksPods, service.resolution == .endpoints,
            !service.selector.isEmpty
        else { return [] }
        let pods = self.objects.index.pods(of: activation.revision).compactMap { self.objects.pods[$0]?.value }
        return pods.flatMap { pod -> [Endpoint] in
            guard !pod.isEnding, !pod.usesHostNetwork, pod.workload.id.namespace == service.namespace,
                service.selector.allSatisfy({ pod.workload.labels[$0.key] == $0.value })
            else { return [] }
            return service.ports.compactMap { port in
                guard let number = facts.podPort(of: port) else { return nil }
                var endpoint = Endpoint(
                    address: .ip(pod.workload.address),
                    port: number,
                    servicePortName: port.name,
                    labels: pod.workload.labels,
                    workload: pod.workload.id,
                    serviceAccount: pod.workload.serviceAccount,
                    isReady: facts.publishesNotReady
                )
                endpoint.isStarting = true
                return endpoint.placed(like: pod, in: self.objects)
            }
        }
    }

    /// Where the name of a headless service leads, by its key; `nil` for all others.
    func instances(of key: ServiceKey) -> [ServiceInstance]? {
        guard MeshKind(rawValue: key.source.kind) == .service else { return nil }
        let object = ObjectKey(namespace: key.source.id.namespace, name: key.source.id.name)
        return self.objects.services[object]?.value.flatMap { self.instances(of: $0, key: object) }
    }

    /// Where the name of a headless service leads; `nil` for all others. Ports do not matter: a name has none.
    func instances(of facts: ServiceFacts, key: ObjectKey) -> [ServiceInstance]? {
        guard facts.service.isHeadless else { return nil }
        var result: Set<ServiceInstance> = []
        for slice in self.objects.index.slices(of: key).compactMap({ self.objects.slices[$0]?.value }) {
            for entry in slice.entries where entry.isReady || facts.publishesNotReady {
                guard case .ip(let address) = entry.address else { continue }
                result.insert(ServiceInstance(address: address, hostName: entry.hostName))
            }
        }
        for machine in self.machines(of: facts) where machine.isReady {
            guard case .ip(let address) = machine.address else { continue }
            result.insert(ServiceInstance(address: address, hostName: nil))
        }
        return result.sorted()
    }

    /// WorkloadEntries that a Kubernetes service selects, beside its pods.
    private func machines(of facts: ServiceFacts) -> [Endpoint] {
        let service = facts.service
        guard service.resolution == .endpoints, !service.selector.isEmpty else { return [] }
        return self.machines(in: service.namespace, selectedBy: service.selector).flatMap { machine -> [Endpoint] in
            // What has only a name cannot be told to proxies as an endpoint of such a service.
            guard case .ip = machine.address else { return [] }
            return service.ports.map {
                machine.endpoint(
                    for: $0,
                    target: facts.targets[$0.name],
                    publishesNotReady: facts.publishesNotReady
                )
            }
        }
    }

    private func machines(in namespace: String, selectedBy selector: [String: String]) -> [MachineFacts] {
        (self.machinesByNamespace[namespace] ?? []).filter { $0.isSelected(by: selector) }
    }

    /// Endpoints of one host of a ServiceEntry: those it names, and the pods and WorkloadEntries it selects.
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
                        .placed(like: pod, in: self.objects)
                    )
                }
            }
            for machine in self.machines(in: service.namespace, selectedBy: selector) {
                if case .name = machine.address, service.resolution == .endpoints { continue }
                result += service.ports.map {
                    machine.endpoint(for: $0, target: entry.targetPorts[$0.name].map(TargetPort.number))
                }
            }
        }
        return result.sorted(by: Self.isBefore)
    }

    /// WorkloadEntries and pods by address, apart from pods that share their node's.
    func workloads() -> [IPAddress: Workload] {
        var result: [IPAddress: Workload] = [:]
        for workload in self.machinesByNamespace.values.joined().compactMap(\.workload) {
            // Of two entries with one address the first by name counts, whatever order they came in.
            if let other = result[workload.address], other.id < workload.id { continue }
            result[workload.address] = workload
        }
        for address in self.objects.index.podAddresses {
            guard let pod = self.pod(at: address) else { continue }
            result[address] = pod.workload
            result[address]?.locality = self.objects.locality(of: pod)
        }
        return result
    }

    /// Pods that share their node's address.
    func nodeWorkloads() -> [ObjectID: Workload] {
        let pods = self.objects.pods.values.compactMap(\.value).filter(\.usesHostNetwork)
        return Dictionary(pods.map { ($0.workload.id, $0.workload) }, uniquingKeysWith: { first, _ in first })
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

extension Endpoint {
    /// With the place and the identity of the pod behind it, as its labels and its node's tell them.
    fileprivate func placed(like pod: PodFacts?, in objects: MeshObjects) -> Endpoint {
        guard let pod else { return self }
        var endpoint = self
        endpoint.locality = objects.locality(of: pod)
        endpoint.network = Topology.network(pod.workload.labels)
        endpoint.hasMeshIdentity = Topology.hasMeshIdentity(pod.workload.labels)
        return endpoint
    }
}
