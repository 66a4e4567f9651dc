import MeshModel

/// Finds what is wrong between Gateways and what they need: workloads, Secrets, each other, VirtualServices.
struct GatewayChecks {
    private let snapshot: MeshSnapshot
    private let credentials: Credentials
    private let gateways: [String: GatewayRules]

    init(snapshot: MeshSnapshot, credentials: Credentials) {
        self.snapshot = snapshot
        self.credentials = credentials
        self.gateways = Dictionary(
            snapshot.gateways.map { ($0.qualifiedName, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    func diagnoses() -> [Diagnosis] {
        self.snapshot.gateways.flatMap(self.needs) + self.conflicts() + self.snapshot.routeRules.flatMap(self.bindings)
            + self.snapshot.authorizationRules.flatMap(self.providers)
    }

    // MARK: What a Gateway needs

    private func needs(_ gateway: GatewayRules) -> [Diagnosis] {
        var findings = Findings(gateway.source)
        let isServed =
            gateway.selector.isEmpty
            || self.snapshot.workloads.values.contains { workload in
                gateway.selector.allSatisfy { workload.labels[$0.key] == $0.value }
            }
        if !isServed {
            let labels = gateway.selector.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ",")
            findings.warning("spec.selector", "no running pod has the labels \(labels): nobody listens")
        }
        for (index, server) in gateway.servers.enumerated() {
            guard let tls = server.tls, let name = tls.credentialName else { continue }
            let field = "spec.servers[\(index)].tls.credentialName"
            for id in self.credentials.places(of: name, for: gateway) {
                guard let credential = self.snapshot.credentials[id] else {
                    findings.warning(field, "there is no Secret \(id) with a certificate: the port refuses connections")
                    continue
                }
                if credential.certificateChain.isEmpty {
                    findings.warning(field, "Secret \(id) has no certificate with a key")
                }
                if tls.mode == .mutual || tls.mode == .optionalMutual, credential.roots.isEmpty {
                    findings.warning(field, "Secret \(id) has no `ca.crt`: no client can prove itself")
                }
            }
        }
        return findings.diagnoses
    }

    // MARK: Gateways and each other

    private struct Place: Hashable {
        var selector: [String: String]
        var bind: IPAddress?
        var port: Port
    }

    private enum Wire: Hashable {
        case plainHTTP, plainTCP, tls

        init(_ server: GatewayRules.Server) {
            self = server.tls != nil ? .tls : server.serverProtocol.isHTTP ? .plainHTTP : .plainTCP
        }
    }

    /// Facts #50: plain HTTP merges, TLS is told apart by host, the older wins everything else.
    private func conflicts() -> [Diagnosis] {
        var wires: [Place: (Wire, ObjectReference)] = [:]
        var owners: [Place: [HostName: ObjectReference]] = [:]
        var result: [Diagnosis] = []
        for gateway in self.snapshot.gateways {
            var findings = Findings(gateway.source)
            for (index, server) in gateway.servers.enumerated() {
                let field = "spec.servers[\(index)]"
                let place = Place(selector: gateway.selector, bind: server.bind, port: server.port)
                let wire = Wire(server)
                if let (other, owner) = wires[place], other != wire {
                    findings.warning(
                        "\(field).port",
                        "port \(server.port) speaks something else already, by \(owner): the older one is in force"
                    )
                    continue
                }
                if wires[place] == nil { wires[place] = (wire, gateway.source) }
                if wire == .plainHTTP { continue }
                for (number, host) in server.hosts.enumerated() {
                    if let owner = owners[place]?[host.name] {
                        findings.warning(
                            "\(field).hosts[\(number)]",
                            "`\(host.name)` on port \(server.port) is served already, by \(owner), which wins"
                        )
                    } else {
                        owners[place, default: [:]][host.name] = gateway.source
                    }
                }
            }
            result += findings.diagnoses
        }
        return result
    }

    // MARK: VirtualServices

    private func bindings(_ rules: RouteRules) -> [Diagnosis] {
        var findings = Findings(rules.source)
        for (index, name) in rules.gateways.enumerated() where name != "mesh" {
            guard let gateway = self.gateways[name] else {
                findings.warning("spec.gateways[\(index)]", "there is no Gateway \(name)")
                continue
            }
            for (number, host) in rules.hosts.enumerated() where !Self.serves(gateway, host, rules) {
                findings.warning(
                    "spec.hosts[\(number)]",
                    "`\(host)` is not within the hosts of Gateway \(name), which does not serve it"
                )
            }
        }
        let named =
            rules.http.flatMap { $0.matches.flatMap(\.gateways) } + rules.tls.flatMap { $0.matches.flatMap(\.gateways) }
            + rules.tcp.flatMap { $0.matches.flatMap(\.gateways) }
        for name in Set(named).subtracting(rules.gateways).sorted() {
            findings.warning("spec.gateways", "lacks `\(name)`, so that matches for it never apply")
        }
        return findings.diagnoses
    }

    /// Whether a host of some server stands for this host, or the other way round, and takes rules of this namespace.
    private static func serves(_ gateway: GatewayRules, _ host: HostName, _ rules: RouteRules) -> Bool {
        gateway.servers.contains { server in
            server.hosts.contains { entry in
                switch entry.owner {
                case .any: ()
                case .namespace(let name): if name != rules.source.id.namespace { return false }
                }
                return entry.name == host || entry.name.covers(host) || host.covers(entry.name)
            }
        }
    }

    // MARK: Policies

    private func providers(_ rules: AuthorizationRules) -> [Diagnosis] {
        guard case .custom(let name) = rules.action, self.snapshot.settings.authorizationProviders[name] == nil
        else { return [] }
        var findings = Findings(rules.source)
        findings.warning(
            "spec.provider.name",
            "the mesh's extensionProviders have no `\(name)` that decides about requests: all are refused"
        )
        return findings.diagnoses
    }
}
