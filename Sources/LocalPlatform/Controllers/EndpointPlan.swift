package import KubernetesAPI

/// The endpoint objects of one Service, worked out from its pods.
package struct EndpointPlan {
    /// Marks slices that are ours to change and delete.
    package static let manager = "endpointslice-controller.k8s.io"
    package static let managedByLabel = "endpointslice.kubernetes.io/managed-by"

    /// One pod behind the service on a set of ports.
    private struct Member {
        package var pod: KubernetesObject
        package var address: String
        package var isReady: Bool
        package var isTerminating: Bool
    }

    private struct PortSet: Hashable {
        /// Pieces of JSON, in the order of the service.
        package var ports: [JSONValue]
    }

    package let service: KubernetesObject
    private var groups: [(ports: [JSONValue], members: [Member])] = []

    package init(service: KubernetesObject, pods: [KubernetesObject]) {
        self.service = service
        let selector = service.spec["selector"]?.stringMap ?? [:]
        let publishesAll = service.spec["publishNotReadyAddresses"]?.bool ?? false
        var byPorts: [PortSet: [Member]] = [:]
        for pod in pods.sorted(by: { $0.name < $1.name }) where pod.namespace == service.namespace {
            guard selector.allSatisfy({ pod.labels[$0.key] == $0.value }),
                let address = pod.status["podIP"]?.string, !address.isEmpty,
                !["Succeeded", "Failed"].contains(pod.status["phase"]?.string ?? "")
            else { continue }
            let ready = ReplicaSetController.readySince(pod) != nil
            let member = Member(
                pod: pod,
                address: address,
                isReady: (ready || publishesAll) && !pod.isBeingDeleted,
                isTerminating: pod.isBeingDeleted
            )
            byPorts[PortSet(ports: Self.ports(of: service, pod: pod)), default: []].append(member)
        }
        if byPorts.isEmpty { byPorts[PortSet(ports: [])] = [] }
        self.groups = byPorts.map { ($0.key.ports, $0.value) }
            .sorted { JSONValue.array($0.ports).text() < JSONValue.array($1.ports).text() }
    }

    /// Ports with the numbers that this pod has them at; a name that the pod does not know is left out.
    private static func ports(of service: KubernetesObject, pod: KubernetesObject) -> [JSONValue] {
        (service.spec["ports"]?.array ?? []).compactMap { port in
            guard let number = Self.number(of: port, pod: pod) else { return nil }
            var json: JSONValue = ["port": JSONValue(number), "protocol": port["protocol"] ?? "TCP"]
            json["name"] = port["name"] ?? ""
            if let protocolName = port["appProtocol"] { json["appProtocol"] = protocolName }
            return json
        }
    }

    private static func number(of port: JSONValue, pod: KubernetesObject) -> Int? {
        let target = port["targetPort"] ?? port["port"] ?? .null
        if let number = target.int, number > 0 { return number }
        guard let name = target.string else { return port["port"]?.int }
        for container in pod.spec["containers"]?.array ?? [] {
            for candidate in container["ports"]?.array ?? [] where candidate["name"]?.string == name {
                return candidate["containerPort"]?.int
            }
        }
        return Int(name)
    }

    /// The slices that should be there: one for each set of ports.
    package var slices: [KubernetesObject] {
        self.groups.map { ports, members in
            let hash = PodLink.hash(JSONValue.array(ports).text()).suffix(5)
            var slice = KubernetesObject(
                .endpointSlices,
                namespace: self.service.namespace,
                name: "\(self.service.name)-\(hash)"
            )
            slice.labels = self.service.labels.merging([
                EndpointSlice.serviceNameLabel: self.service.name, Self.managedByLabel: Self.manager,
            ]) { $1 }
            if self.service.spec["clusterIP"]?.string == "None" {
                slice.labels["service.kubernetes.io/headless"] = ""
            }
            slice.ownerReferences = [OwnerReference(to: self.service)]
            slice.json["addressType"] = "IPv4"
            slice.json["ports"] = .array(ports)
            slice.json["endpoints"] = .array(members.map(self.endpoint))
            return slice
        }
    }

    /// The older form, for clients that still read it.
    package var endpoints: KubernetesObject {
        var object = KubernetesObject(.endpoints, namespace: self.service.namespace, name: self.service.name)
        object.labels = self.service.labels
        // Keeps other controllers from mirroring what has slices already.
        object.labels["endpointslice.kubernetes.io/skip-mirror"] = "true"
        object.json["subsets"] = .array(
            self.groups.filter { !$0.members.isEmpty }.map { ports, members in
                var subset: JSONValue = ["ports": .array(ports)]
                let ready = members.filter(\.isReady).map(Self.address)
                let others = members.filter { !$0.isReady && !$0.isTerminating }.map(Self.address)
                if !ready.isEmpty { subset["addresses"] = .array(ready) }
                if !others.isEmpty { subset["notReadyAddresses"] = .array(others) }
                return subset
            }.filter { $0["addresses"] != nil || $0["notReadyAddresses"] != nil }
        )
        return object
    }

    private func endpoint(_ member: Member) -> JSONValue {
        var json: JSONValue = [
            "addresses": [.string(member.address)],
            "conditions": [
                "ready": .bool(member.isReady), "serving": .bool(member.isReady),
                "terminating": .bool(member.isTerminating),
            ],
            "nodeName": .string(PlatformNetwork.nodeName), "targetRef": Self.target(member),
        ]
        // Only the service that a pod names as its subdomain has a name for it (Kubernetes' DNS specification 2.4.1).
        let pod = member.pod.spec
        if let name = pod["hostname"]?.string, !name.isEmpty, pod["subdomain"]?.string == self.service.name {
            json["hostname"] = .string(name)
        }
        return json
    }

    private static func address(_ member: Member) -> JSONValue {
        [
            "ip": .string(member.address), "nodeName": .string(PlatformNetwork.nodeName),
            "targetRef": Self.target(member),
        ]
    }

    private static func target(_ member: Member) -> JSONValue {
        [
            "kind": "Pod", "name": .string(member.pod.name), "namespace": .string(member.pod.namespace ?? "default"),
            "uid": .string(member.pod.uid),
        ]
    }
}
