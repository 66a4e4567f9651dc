import MeshModel

/// Finds what no single object shows: references to nothing, and objects that get in each other's way.
struct CrossChecks {
    private let snapshot: MeshSnapshot
    private let servicesByHost: [HostName: [Service]]
    private let wildcardServices: [Service]
    private let policiesByHost: [HostName: [DestinationPolicy]]

    init(snapshot: MeshSnapshot) {
        self.snapshot = snapshot
        self.servicesByHost = Dictionary(grouping: snapshot.services, by: \.host)
        self.wildcardServices = snapshot.services.filter(\.host.isWildcard)
        self.policiesByHost = Dictionary(grouping: snapshot.destinationPolicies, by: \.host)
    }

    func diagnoses() -> [Diagnosis] {
        self.snapshot.routeRules.flatMap(self.findings) + self.shadowedPorts() + self.repeatedHosts()
    }

    // MARK: Routes

    private func findings(_ rules: RouteRules) -> [Diagnosis] {
        var findings = Findings(rules.source)
        for (index, rule) in rules.http.enumerated() {
            if case .forward(let destinations) = rule.action {
                self.check(destinations, "spec.http[\(index)]", &findings)
            }
        }
        for (index, rule) in rules.tls.enumerated() {
            self.check(rule.destinations, "spec.tls[\(index)]", &findings)
        }
        for (index, rule) in rules.tcp.enumerated() {
            self.check(rule.destinations, "spec.tcp[\(index)]", &findings)
        }
        return findings.diagnoses
    }

    /// A destination that is not there makes a cluster that is not there: 503 with `NC` (facts #42).
    private func check(_ destinations: [RouteDestination], _ field: String, _ findings: inout Findings) {
        for (index, destination) in destinations.enumerated() {
            let place = "\(field).route[\(index)].destination"
            let services =
                self.servicesByHost[destination.host]
                ?? self.wildcardServices.filter { $0.host.covers(destination.host) }
            guard !services.isEmpty else {
                findings.warning("\(place).host", "no Service or ServiceEntry has the host `\(destination.host)`")
                continue
            }
            if let subset = destination.subset {
                let policies = self.policiesByHost[destination.host] ?? []
                if !policies.contains(where: { $0.subsets.contains { $0.name == subset } }) {
                    findings.warning(
                        "\(place).subset",
                        "no DestinationRule for `\(destination.host)` has the subset `\(subset)`"
                    )
                }
            }
            let ports = Set(services.flatMap(\.ports).map(\.port)).sorted()
            let list = ports.map(\.description).joined(separator: ", ")
            if let port = destination.port {
                if !ports.contains(port) {
                    findings.warning("\(place).port", "`\(destination.host)` has no port \(port), only \(list)")
                }
            } else if ports.count > 1, field.hasPrefix("spec.t") {
                findings.warning("\(place).port", "is needed: `\(destination.host)` has the ports \(list)")
            }
        }
    }

    // MARK: Services

    /// Of two TCP services without addresses on one port only the older is ever reached (facts #24); those that are to
    /// be given addresses are told apart by them.
    private func shadowedPorts() -> [Diagnosis] {
        var owners: [Port: Service] = [:]
        var result: [Diagnosis] = []
        let wanting = self.snapshot.addressClaims.reduce(into: Set<HostName>()) { $0.formUnion($1.wanting) }
        for service in self.snapshot.services
        where service.addresses.isEmpty && !service.isKubernetes && !service.mintsAddresses
            && !wanting.contains(service.host)
        {
            for port in service.ports where port.applicationProtocol.isToldByAddress {
                guard let owner = owners[port.port] else {
                    owners[port.port] = service
                    continue
                }
                if owner.source == service.source { continue }
                var findings = Findings(service.source)
                findings.warning(
                    "spec.ports",
                    "port \(port.port) of `\(service.host)` is hidden by `\(owner.host)` of \(owner.source): "
                        + "give both addresses"
                )
                result += findings.diagnoses
            }
        }
        return result
    }

    /// Facts #30: where a Kubernetes Service and a ServiceEntry have one host, the Service wins.
    private func repeatedHosts() -> [Diagnosis] {
        self.servicesByHost.values.flatMap { services -> [Diagnosis] in
            guard let owner = services.first(where: \.isKubernetes) else { return [] }
            return services.filter { !$0.isKubernetes }.flatMap { service in
                var findings = Findings(service.source)
                findings.warning("spec.hosts", "`\(service.host)` is the host of \(owner.source), which wins")
                return findings.diagnoses
            }
        }
    }
}
