import IstioAPI
import KubernetesAPI
import MeshModel

/// A ServiceEntry: its hosts as services, and where their endpoints come from.
struct EntryFacts: Hashable, Sendable {
    /// One per host, in the order written.
    var services: [MeshModel.Service]
    /// Endpoints that the entry itself names, by host.
    var endpoints: [HostName: [Endpoint]]
    /// Labels of pods of the same namespace that are the endpoints.
    var workloadSelector: [String: String]?
    /// Where pods listen, by the name of the service port.
    var targetPorts: [String: Port]
    /// Which hosts are to be given addresses, and which have been.
    var claim: AddressClaim
}

enum ServiceEntryParser {
    static let hostsMax = 256
    static let addressesMax = 256
    static let portsMax = 256
    static let endpointsMax = 4096

    static func parse(_ object: KubernetesObject) -> Parsed<EntryFacts> {
        var findings = Findings("ServiceEntry", object)
        var facts: EntryFacts?
        if let spec = Fields.spec(Istio_Networking_V1alpha3_ServiceEntry.self, of: object, &findings) {
            var reader = ServiceEntryReader(spec: spec, object: object, findings: findings)
            facts = reader.facts()
            findings = reader.findings
        }
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }
}

/// Reads one entry; errors that concern a part leave out the part, those of the whole leave out the entry.
private struct ServiceEntryReader {
    let spec: Istio_Networking_V1alpha3_ServiceEntry
    let object: KubernetesObject
    var findings: Findings

    private struct EntryPort {
        var service: ServicePort
        var target: Port
    }

    mutating func facts() -> EntryFacts? {
        guard self.isWithinLimits(), let resolution = self.resolution(), self.isConsistent() else { return nil }
        let addresses = self.addresses(resolution)
        let ports = self.ports()
        let hosts = self.hosts(resolution, ports)
        guard !hosts.isEmpty, !ports.isEmpty, addresses.count == self.spec.addresses.count else {
            if ports.isEmpty, self.spec.ports.isEmpty { self.findings.error("spec.ports", "at least one is needed") }
            return nil
        }
        var services: [MeshModel.Service] = []
        var endpoints: [HostName: [Endpoint]] = [:]
        for host in hosts {
            let service = self.service(host, addresses, ports.map(\.service), resolution)
            services.append(service)
            endpoints[host] = self.endpoints(of: host, ports, service.resolution)
        }
        return EntryFacts(
            services: services,
            endpoints: endpoints,
            workloadSelector: self.spec.hasWorkloadSelector ? self.spec.workloadSelector.labels : nil,
            targetPorts: Dictionary(
                ports.map { ($0.service.name, $0.target) },
                uniquingKeysWith: { first, _ in first }
            ),
            claim: AddressClaim(
                self.object,
                hosts: hosts,
                addresses: addresses,
                ports: ports.map(\.service),
                resolution: resolution
            )
        )
    }

    private func service(
        _ host: HostName,
        _ addresses: [CIDR],
        _ ports: [ServicePort],
        _ resolution: Resolution
    ) -> MeshModel.Service {
        let id = ObjectID(self.object)
        let isLookedUpByName = host.isWildcard && self.looksUpHosts(resolution)
        var service = MeshModel.Service(
            host: host,
            addresses: addresses,
            ports: ports,
            resolution: isLookedUpByName ? .originalDestination : resolution,
            isExternal: self.spec.location == .meshExternal,
            visibility: Fields.visibility(self.spec.exportTo, namespace: id.namespace),
            source: ObjectReference(kind: "ServiceEntry", id: id),
            createdAt: self.object.createdAt,
            selector: self.spec.hasWorkloadSelector ? self.spec.workloadSelector.labels : [:]
        )
        service.subjectAltNames = self.spec.subjectAltNames
        service.resolvesDialledNames = isLookedUpByName
        return service
    }

    private mutating func isWithinLimits() -> Bool {
        let limits = [
            ("spec.hosts", self.spec.hosts.count, ServiceEntryParser.hostsMax),
            ("spec.addresses", self.spec.addresses.count, ServiceEntryParser.addressesMax),
            ("spec.ports", self.spec.ports.count, ServiceEntryParser.portsMax),
            ("spec.endpoints", self.spec.endpoints.count, ServiceEntryParser.endpointsMax),
        ]
        for (field, count, limit) in limits where count > limit {
            self.findings.error(field, "\(count) entries, more than \(limit)")
        }
        if self.spec.hosts.isEmpty { self.findings.error("spec.hosts", "at least one is needed") }
        return !self.findings.hasErrors
    }

    /// An unset resolution is NONE: traffic goes to the address that the application dialled (facts #23).
    private mutating func resolution() -> Resolution? {
        switch self.spec.resolution {
        case .none: return .originalDestination
        case .static: return .endpoints
        case .dns: return .dns(roundRobin: false)
        case .dnsRoundRobin: return .dns(roundRobin: true)
        case .dynamicDns:
            self.findings.error("spec.resolution", "DYNAMIC_DNS is not supported: use DNS and name the hosts")
            return nil
        case .UNRECOGNIZED(let number):
            self.findings.error("spec.resolution", "\(number) is no resolution: NONE, STATIC, DNS or DNS_ROUND_ROBIN")
            return nil
        }
    }

    /// What must hold between fields (facts 1a).
    private mutating func isConsistent() -> Bool {
        let hasEndpoints = !self.spec.endpoints.isEmpty
        if hasEndpoints, self.spec.hasWorkloadSelector {
            self.findings.error("spec.endpoints", "not together with workloadSelector: keep one of them")
        }
        switch self.spec.resolution {
        case .none where hasEndpoints:
            self.findings.error("spec.endpoints", "need resolution STATIC or DNS; it is NONE")
        case .none where self.spec.hasWorkloadSelector:
            self.findings.error("spec.workloadSelector", "needs resolution STATIC or DNS; it is NONE")
        case .static where !hasEndpoints && !self.spec.hasWorkloadSelector:
            self.findings.warning("spec.endpoints", "none with resolution STATIC: nothing can be reached")
        case .dnsRoundRobin where self.spec.endpoints.count > 1:
            self.findings.error("spec.endpoints", "at most one with resolution DNS_ROUND_ROBIN")
        default: ()
        }
        return !self.findings.hasErrors
    }

    private mutating func addresses(_ resolution: Resolution) -> [CIDR] {
        let blocks = Fields.blocks(self.spec.addresses, field: "spec.addresses", &self.findings)
        guard case .dns = resolution else { return blocks }
        // The proxy looks the host up, so that a whole block cannot be where it is found.
        for (index, text) in self.spec.addresses.enumerated() where CIDR(text)?.isSingleAddress == false {
            self.findings.error("spec.addresses[\(index)]", "a block needs resolution NONE or STATIC")
        }
        return blocks.filter(\.isSingleAddress)
    }

    private mutating func ports() -> [EntryPort] {
        var ports: [EntryPort] = []
        for (index, entry) in self.spec.ports.enumerated() {
            let field = "spec.ports[\(index)]"
            guard let number = Port(entry.number) else {
                self.findings.error("\(field).number", "\(entry.number) is no port: 1 to 65535")
                continue
            }
            guard let word = self.applicationProtocol(entry, number) else {
                self.findings.error(
                    "\(field).protocol",
                    "`\(entry.protocol)` is unknown: one of HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS"
                )
                continue
            }
            let name = entry.name.isEmpty ? "\(word.rawValue)-\(number)" : entry.name
            if ports.contains(where: { $0.service.name == name }) {
                self.findings.error("\(field).name", "`\(name)` is the name of another port of this entry")
                continue
            }
            if ports.contains(where: { $0.service.port == number }) {
                self.findings.error("\(field).number", "\(number) stands here twice")
                continue
            }
            let target = Fields.port(entry.targetPort, field: "\(field).targetPort", &self.findings)
            ports.append(
                EntryPort(
                    service: ServicePort(name: name, port: number, applicationProtocol: word),
                    target: target ?? number
                )
            )
        }
        return ports
    }

    /// The protocol in any case; what is not said may follow from the port's name.
    private func applicationProtocol(
        _ entry: Istio_Networking_V1alpha3_ServicePort,
        _ port: Port
    ) -> ApplicationProtocol? {
        entry.protocol.isEmpty
            ? ApplicationProtocol(appProtocol: nil, portName: entry.name, port: port)
            : ApplicationProtocol(word: entry.protocol)
    }

    /// Whether hosts are where their own names lead (facts #22).
    private func looksUpHosts(_ resolution: Resolution) -> Bool {
        guard case .dns = resolution else { return false }
        return self.spec.endpoints.isEmpty && !self.spec.hasWorkloadSelector
    }

    /// Names under a wildcard can be looked up where the proxy knows which one was meant: from the address that it gave
    /// the name. Requests tell their host, but the proxy does not look that up.
    private func canLookUpWildcards(_ ports: [EntryPort]) -> Bool {
        self.spec.addresses.isEmpty && !ports.contains { $0.service.applicationProtocol.isHTTP }
    }

    private mutating func hosts(_ resolution: Resolution, _ ports: [EntryPort]) -> [HostName] {
        var hosts: [HostName] = []
        for (index, text) in self.spec.hosts.enumerated() {
            let field = "spec.hosts[\(index)]"
            guard let host = HostName(text), text != "*" else {
                let hint = text == "*" ? "too wide: name at least one domain, `*.example.com`" : "no host name"
                self.findings.error(field, "`\(text)` is \(hint)")
                continue
            }
            if host.isWildcard, self.looksUpHosts(resolution), !self.canLookUpWildcards(ports) {
                self.findings.error(
                    field,
                    "`\(text)` cannot be looked up: with resolution DNS a wildcard needs endpoints, "
                        + "or ports of TCP and TLS alone and no addresses; or use NONE"
                )
                continue
            }
            if hosts.contains(host) {
                self.findings.warning(field, "`\(text)` stands here twice")
                continue
            }
            hosts.append(host)
        }
        return hosts
    }

    private mutating func endpoints(of host: HostName, _ ports: [EntryPort], _ resolution: Resolution) -> [Endpoint] {
        switch resolution {
        case .originalDestination: return []
        case .dns where self.spec.endpoints.isEmpty && !self.spec.hasWorkloadSelector:
            // The host is looked up itself (facts #22).
            return ports.map {
                Endpoint(address: .name(host), port: $0.target, servicePortName: $0.service.name)
            }
        case .dns, .endpoints:
            // What is wrong with an endpoint is wrong for each host, and said once.
            let isFirst = host == self.spec.hosts.lazy.compactMap { HostName($0) }.first
            var ignored = self.findings
            let found = self.namedEndpoints(ports, resolution, &ignored)
            if isFirst { self.findings = ignored }
            return found
        }
    }

    private func namedEndpoints(
        _ ports: [EntryPort],
        _ resolution: Resolution,
        _ findings: inout Findings
    ) -> [Endpoint] {
        var result: [Endpoint] = []
        for (index, entry) in self.spec.endpoints.enumerated() {
            let field = "spec.endpoints[\(index)]"
            guard let address = self.address(entry.address, resolution, field, &findings) else { continue }
            for (name, _) in entry.ports where !ports.contains(where: { $0.service.name == name }) {
                findings.error("\(field).ports.\(name)", "names no port of this entry")
            }
            for port in ports {
                var target = port.target
                if let own = entry.ports[port.service.name] {
                    guard let parsed = Port(own) else {
                        findings.error("\(field).ports.\(port.service.name)", "\(own) is no port: 1 to 65535")
                        continue
                    }
                    target = parsed
                }
                var endpoint = Endpoint(
                    address: address,
                    port: target,
                    servicePortName: port.service.name,
                    labels: entry.labels,
                    weight: max(1, entry.weight),
                    serviceAccount: entry.serviceAccount.isEmpty ? nil : entry.serviceAccount
                )
                endpoint.locality =
                    entry.locality.isEmpty ? Topology.locality(entry.labels) : Topology.locality(entry.locality)
                endpoint.network = entry.network.isEmpty ? Topology.network(entry.labels) : entry.network
                endpoint.hasMeshIdentity = Topology.hasMeshIdentity(entry.labels)
                result.append(endpoint)
            }
        }
        return result
    }

    private func address(
        _ text: String,
        _ resolution: Resolution,
        _ field: String,
        _ findings: inout Findings
    ) -> Endpoint.Address? {
        if let address = IPAddress(text) { return .ip(address) }
        if text.hasPrefix("unix://") {
            findings.error("\(field).address", "unix sockets are not supported")
            return nil
        }
        if case .dns = resolution, let name = HostName(text), !name.isWildcard { return .name(name) }
        let expected = resolution == .endpoints ? "an IP address (for names use resolution DNS)" : "an address or name"
        findings.error("\(field).address", "`\(text)` is not \(expected)")
        return nil
    }
}
