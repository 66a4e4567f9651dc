import KubernetesAPI
import MeshModel

/// A share of a Service's endpoints.
struct SliceFacts: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        var address: Endpoint.Address
        var isReady: Bool
        /// Not ready, and not about to end.
        var isStarting: Bool
        /// The pod that the slice names.
        var pod: ObjectKey?
        /// First label of the endpoint's own name below the service's.
        var hostName: String?
    }

    struct SlicePort: Hashable, Sendable {
        var name: String
        var port: Port
    }

    var service: ObjectKey
    var entries: [Entry]
    var ports: [SlicePort]
}

/// A pod as far as others may talk to it.
struct PodFacts: Hashable, Sendable {
    var workload: Workload
    var createdAt: Int64
    var isReady: Bool
    /// It is being deleted.
    var isEnding: Bool
    /// It shares its node's address, which says nothing about who answers there.
    var usesHostNetwork: Bool
    /// The node that it runs on.
    var node: String?
}

enum EndpointParser {
    static func parse(slice object: KubernetesObject) -> Parsed<SliceFacts> {
        var findings = Findings("EndpointSlice", object)
        guard let service = object.labels[EndpointSlice.serviceNameLabel], !service.isEmpty else {
            return Parsed(object, value: nil)  // Belongs to no Service: nothing of ours.
        }
        let typed: EndpointSlice
        do {
            typed = try object.decode()
        } catch {
            findings.error("", "cannot be read: \(error)")
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        var entries: [SliceFacts.Entry] = []
        for (index, endpoint) in typed.endpoints.enumerated() {
            // All addresses of an entry lead to the same place; readers use the first.
            guard let text = endpoint.addresses.first else { continue }
            guard let address = Self.address(text, type: typed.addressType) else {
                findings.error("endpoints[\(index)].addresses[0]", "`\(text)` is no \(typed.addressType) address")
                continue
            }
            let target = endpoint.targetRef
            entries.append(
                SliceFacts.Entry(
                    address: address,
                    isReady: endpoint.conditions.ready ?? true,
                    isStarting: endpoint.conditions.ready == false && endpoint.conditions.terminating != true,
                    pod: target?.kind == "Pod"
                        ? target?.name.map { ObjectKey(namespace: target?.namespace ?? object.namespace, name: $0) }
                        : nil,
                    hostName: self.label(endpoint.hostname)
                )
            )
        }
        let ports = typed.ports.compactMap { entry in
            entry.port.flatMap { Port($0) }.map { SliceFacts.SlicePort(name: entry.name ?? "", port: $0) }
        }
        let key = ObjectKey(namespace: object.namespace, name: service)
        return Parsed(
            object,
            value: SliceFacts(service: key, entries: entries, ports: ports),
            diagnoses: findings.diagnoses
        )
    }

    /// Istio's annotation; a word that it does not know is as good as none.
    private static let checkAnnotation = "policy.istio.io/check"

    static func parse(pod object: KubernetesObject) -> Parsed<PodFacts> {
        // By hand, since most of a pod is of no interest and pods change often.
        let status = object.status
        guard let address = status["podIP"]?.string.flatMap(IPAddress.init),
            status["phase"]?.string != "Succeeded", status["phase"]?.string != "Failed"
        else { return Parsed(object, value: nil) }
        let isReady = (status["conditions"]?.array ?? []).contains {
            $0["type"]?.string == "Ready" && $0["status"]?.string == "True"
        }
        var workload = Workload(
            id: ObjectID(object),
            address: address,
            labels: object.labels,
            serviceAccount: object.spec["serviceAccountName"]?.string ?? "default"
        )
        workload.locality = Topology.locality(object.labels)
        workload.policyCheck = object.annotations[Self.checkAnnotation].flatMap(PolicyCheckChoice.init)
        var findings = Findings("Pod", object)
        workload.activation = ActivationAnnotations.activation(object, side: .pod, &findings)
        let facts = PodFacts(
            workload: workload,
            createdAt: object.createdAt,
            isReady: isReady && !object.isBeingDeleted,
            isEnding: object.isBeingDeleted,
            usesHostNetwork: object.spec["hostNetwork"]?.bool ?? false,
            node: object.spec["nodeName"]?.string
        )
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }

    /// A host name of one label, in lower case; `nil` if it is none.
    private static func label(_ text: String?) -> String? {
        guard let name = text.flatMap({ HostName($0) }), !name.isWildcard, !name.text.contains(".") else { return nil }
        return name.text
    }

    private static func address(_ text: String, type: String) -> Endpoint.Address? {
        if type == "FQDN" { return HostName(text).map(Endpoint.Address.name) }
        return IPAddress(text).map(Endpoint.Address.ip)
    }
}
