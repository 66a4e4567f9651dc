import IstioAPI
import KubernetesAPI
import MeshModel

/// A WorkloadEntry: a workload that Kubernetes does not know, such as a virtual machine.
struct MachineFacts: Hashable, Sendable {
    var id: ObjectID
    var address: Endpoint.Address
    /// Where it listens, by the name of a service's port or of its target port.
    var ports: [String: Port]
    /// Those of its metadata over those of its spec.
    var labels: [String: String]
    var weight: UInt32
    var serviceAccount: String?
    var locality: Locality
    /// Empty: the network of the cluster.
    var network: String
    var hasMeshIdentity: Bool
    /// What its proxy last said of it; one whose proxy is expected to say something, and has not, is not ready.
    var isReady: Bool

    /// Where it listens for a port of a service.
    ///
    /// - Parameters:
    ///   - port: the service's port.
    ///   - target: the number or name that the service gives for it.
    /// - Returns: its own word for it, else the service's.
    func port(for port: ServicePort, target: TargetPort?) -> Port {
        if let own = self.ports[port.name] { return own }
        switch target {
        case .number(let number): return number
        case .name(let name): return self.ports[name] ?? port.port
        case nil: return port.port
        }
    }

    /// The endpoint that it is for a port of a service.
    func endpoint(for port: ServicePort, target: TargetPort?, publishesNotReady: Bool = false) -> Endpoint {
        var endpoint = Endpoint(
            address: self.address,
            port: self.port(for: port, target: target),
            servicePortName: port.name,
            labels: self.labels,
            weight: self.weight,
            workload: self.id,
            serviceAccount: self.serviceAccount,
            isReady: self.isReady || publishesNotReady
        )
        endpoint.locality = self.locality
        endpoint.network = self.network
        endpoint.hasMeshIdentity = self.hasMeshIdentity
        return endpoint
    }

    /// What inbound configuration is made from; `nil` without an IP address.
    var workload: Workload? {
        guard case .ip(let address) = self.address else { return nil }
        var workload = Workload(
            id: self.id,
            address: address,
            labels: self.labels,
            serviceAccount: self.serviceAccount ?? "default"
        )
        workload.locality = self.locality
        workload.isMachine = true
        return workload
    }

    func isSelected(by selector: [String: String]) -> Bool {
        selector.allSatisfy { self.labels[$0.key] == $0.value }
    }
}

/// The port of workloads that a port of a Service leads to.
enum TargetPort: Hashable, Sendable {
    case number(Port)
    case name(String)
}

enum WorkloadEntryParser {
    /// Istio's word for entries whose proxy reports health: without a report they receive nothing.
    static let reportsHealthAnnotation = "proxy.istio.io/health-checks-enabled"
    static let healthCondition = "Healthy"

    static func parse(_ object: KubernetesObject) -> Parsed<MachineFacts> {
        var findings = Findings("WorkloadEntry", object)
        let facts = Fields.spec(Istio_Networking_V1alpha3_WorkloadEntry.self, of: object, &findings)
            .flatMap { self.facts($0, object, &findings) }
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }

    private static func facts(
        _ spec: Istio_Networking_V1alpha3_WorkloadEntry,
        _ object: KubernetesObject,
        _ findings: inout Findings
    ) -> MachineFacts? {
        guard let address = self.address(spec.address, &findings) else { return nil }
        let labels = spec.labels.merging(object.labels) { $1 }
        return MachineFacts(
            id: ObjectID(object),
            address: address,
            ports: self.ports(spec.ports, field: "spec.ports", &findings),
            labels: labels,
            weight: max(1, spec.weight),
            serviceAccount: Fields.text(spec.serviceAccount),
            locality: spec.locality.isEmpty ? Topology.locality(labels) : Topology.locality(spec.locality),
            network: spec.network.isEmpty ? Topology.network(labels) : spec.network,
            hasMeshIdentity: self.hasMeshIdentity(labels, spec.serviceAccount),
            isReady: !object.isBeingDeleted && self.isHealthy(object)
        )
    }

    /// The label decides where it is set; else an entry with an account has a proxy that proves it.
    private static func hasMeshIdentity(_ labels: [String: String], _ account: String) -> Bool {
        labels[Topology.identityLabel] == nil ? !account.isEmpty : Topology.hasMeshIdentity(labels)
    }

    private static func isHealthy(_ object: KubernetesObject) -> Bool {
        let conditions = object.status["conditions"]?.array ?? []
        if let condition = conditions.last(where: { $0["type"]?.string == self.healthCondition }) {
            return condition["status"]?.string == "True"
        }
        return object.annotations[self.reportsHealthAnnotation] != "true"
    }

    private static func address(_ text: String, _ findings: inout Findings) -> Endpoint.Address? {
        if let address = IPAddress(text) { return .ip(address) }
        if text.isEmpty {
            findings.error("spec.address", "is needed: workloads behind the gateway of their network are not supported")
        } else if text.hasPrefix("unix://") {
            findings.error("spec.address", "unix sockets are not supported")
        } else if let name = HostName(text), !name.isWildcard {
            return .name(name)
        } else {
            findings.error("spec.address", "`\(text)` is neither an IP address nor a host name")
        }
        return nil
    }

    static func ports(_ ports: [String: UInt32], field: String, _ findings: inout Findings) -> [String: Port] {
        var result: [String: Port] = [:]
        for (name, number) in ports.sorted(by: { $0.key < $1.key }) {
            if let port = Port(number) {
                result[name] = port
            } else {
                findings.error("\(field).\(name)", "\(number) is no port: 1 to 65535")
            }
        }
        return result
    }
}
