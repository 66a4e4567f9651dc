import KubernetesAPI
import MeshModel

/// A Kubernetes Service and what is needed to join its endpoints.
struct ServiceFacts: Hashable, Sendable {
    var service: MeshModel.Service
    /// Endpoints that the Service itself names: the target of an ExternalName.
    var ownEndpoints: [Endpoint] = []
    var publishesNotReady = false
    /// Where its ports lead, by their names; those without a word of it lead to their own number.
    var targets: [String: TargetPort] = [:]
    /// The network that it is the way into from others,
    var gatewayNetwork: String?
    /// and where.
    var gateways: Set<NetworkGateway> = []

    /// Where one of its ports leads at every pod; `nil`: each pod says it by itself.
    func podPort(of port: ServicePort) -> Port? {
        switch self.targets[port.name] {
        case .number(let number): number
        case .name: nil
        case nil: port.port
        }
    }
}

enum ServiceParser {
    /// Istio's annotation, which holds for Services as `exportTo` does for its own kinds.
    private static let exportAnnotation = "networking.istio.io/exportTo"

    static func parse(_ object: KubernetesObject, domain: String) -> Parsed<ServiceFacts> {
        var findings = Findings("Service", object)
        let facts = self.facts(object, domain: domain, &findings)
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }

    private static func facts(_ object: KubernetesObject, domain: String, _ findings: inout Findings) -> ServiceFacts? {
        let id = ObjectID(object)
        let typed: KubernetesAPI.Service
        do {
            typed = try object.decode()
        } catch {
            findings.error("", "cannot be read: \(error)")
            return nil
        }
        guard let host = HostName("\(id.name).\(id.namespace).svc.\(domain)") else {
            findings.error("metadata.name", "`\(id.name)` makes no host name")
            return nil
        }
        var service = MeshModel.Service(
            host: host,
            ports: self.ports(typed.spec.ports, &findings),
            visibility: Fields.visibility(self.exportTo(object), namespace: id.namespace),
            source: ObjectReference(kind: "Service", id: id),
            createdAt: object.createdAt,
            selector: typed.spec.selector
        )
        if typed.spec.type == "ExternalName" {
            return self.alias(service, target: typed.spec.externalName ?? "", &findings)
        }
        let texts = typed.spec.clusterIPs.isEmpty ? [typed.spec.clusterIP ?? ""] : typed.spec.clusterIPs
        if texts == ["None"] {
            service.isHeadless = true
        } else {
            service.addresses = texts.compactMap(IPAddress.init).map(CIDR.init)
            // An address is on its way: until then nobody can dial the service.
            if service.addresses.isEmpty { return nil }
        }
        var facts = ServiceFacts(
            service: service,
            publishesNotReady: typed.spec.publishNotReadyAddresses,
            targets: self.targets(typed.spec.ports)
        )
        facts.service.activation = ActivationAnnotations.activation(object, side: .callers, &findings)
        facts.service.isReporter = ActivationAnnotations.isReporter(object, &findings)
        self.addGateways(object, to: &facts, &findings)
        return facts
    }

    /// Istio's label for the port of a gateway between networks, and its default.
    private static let gatewayPortLabel = "networking.istio.io/gatewayPort"
    private static let gatewayPort = 15443

    /// A Service with the label of a network leads into it, by its addresses outside of the cluster.
    private static func addGateways(
        _ object: KubernetesObject,
        to facts: inout ServiceFacts,
        _ findings: inout Findings
    ) {
        let network = Topology.network(object.labels)
        guard !network.isEmpty else { return }
        facts.gatewayNetwork = network
        let text = object.labels[self.gatewayPortLabel]
        guard let port = Port(text.flatMap { Int($0) } ?? self.gatewayPort),
            facts.service.ports.contains(where: { $0.port == port })
        else {
            findings.warning(
                "metadata.labels",
                "`\(Topology.networkLabel)` makes it the gateway of a network, but it has no port "
                    + "\(text ?? "\(self.gatewayPort)")"
            )
            return
        }
        let ingress = object.status[path: "loadBalancer", "ingress"]?.array ?? []
        let external = object.spec["externalIPs"]?.array ?? []
        let texts = ingress.compactMap { $0["ip"]?.string } + external.compactMap(\.string)
        facts.gateways = Set(texts.compactMap(IPAddress.init).map { NetworkGateway(address: $0, port: port) })
    }

    /// An ExternalName is another name for a host elsewhere.
    private static func alias(
        _ service: MeshModel.Service,
        target: String,
        _ findings: inout Findings
    ) -> ServiceFacts? {
        guard IPAddress(target) == nil, let name = HostName(target), !name.isWildcard else {
            findings.error("spec.externalName", "`\(target)` is no host name")
            return nil
        }
        var service = service
        service.resolution = .dns(roundRobin: false)
        service.isExternal = true
        service.alias = name
        let endpoints = service.ports.map {
            Endpoint(address: .name(name), port: $0.port, servicePortName: $0.name)
        }
        return ServiceFacts(service: service, ownEndpoints: endpoints)
    }

    private static func ports(_ ports: [KubernetesAPI.Service.Port], _ findings: inout Findings) -> [ServicePort] {
        ports.enumerated().compactMap { index, entry in
            guard let port = Port(entry.port) else {
                findings.error("spec.ports[\(index)].port", "\(entry.port) is no port: 1 to 65535")
                return nil
            }
            switch entry.protocol {
            case "SCTP": return nil
            case "UDP": return ServicePort(name: entry.name ?? "", port: port, applicationProtocol: .udp)
            default:
                return ServicePort(
                    name: entry.name ?? "",
                    port: port,
                    applicationProtocol: ApplicationProtocol(
                        appProtocol: entry.appProtocol,
                        portName: entry.name,
                        port: port
                    )
                )
            }
        }
    }

    private static func targets(_ ports: [KubernetesAPI.Service.Port]) -> [String: TargetPort] {
        var result: [String: TargetPort] = [:]
        for entry in ports {
            switch entry.targetPort {
            case .int(let number): result[entry.name ?? ""] = Port(number).map(TargetPort.number)
            case .string(let name): result[entry.name ?? ""] = .name(name)
            case nil: ()
            }
        }
        return result
    }

    private static func exportTo(_ object: KubernetesObject) -> [String] {
        (object.annotations[self.exportAnnotation] ?? "").split(separator: ",").map {
            String($0.filter { !$0.isWhitespace })
        }
    }
}
