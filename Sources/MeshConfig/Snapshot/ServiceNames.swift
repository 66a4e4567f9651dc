import MeshModel

/// Completes names like `reviews.default`, which people write for a service of another namespace.
///
/// Such a name could be a host of the internet as well; it is completed only if there is no host of that very name and
/// there is a service.
struct ServiceNames {
    private let known: Set<HostName>
    private let domain: String

    init(services: [Service], domain: String) {
        self.known = Set(services.map(\.host))
        self.domain = domain
    }

    func qualified(_ host: HostName) -> HostName {
        if host.isWildcard || self.known.contains(host) { return host }
        let labels = host.text.split(separator: ".")
        let isShort = labels.count == 2 || (labels.count == 3 && labels[2] == "svc")
        guard isShort, let full = HostName("\(labels[0]).\(labels[1]).svc.\(self.domain)"), self.known.contains(full)
        else { return host }
        return full
    }

    func qualified(_ rules: RouteRules) -> RouteRules {
        var rules = rules
        rules.hosts = rules.hosts.map(self.qualified)
        for index in rules.http.indices {
            if case .forward(let destinations) = rules.http[index].action {
                rules.http[index].action = .forward(destinations.map(self.qualified))
            }
        }
        for index in rules.tls.indices {
            rules.tls[index].destinations = rules.tls[index].destinations.map(self.qualified)
        }
        for index in rules.tcp.indices {
            rules.tcp[index].destinations = rules.tcp[index].destinations.map(self.qualified)
        }
        return rules
    }

    func qualified(_ policy: DestinationPolicy) -> DestinationPolicy {
        var policy = policy
        policy.host = self.qualified(policy.host)
        return policy
    }

    private func qualified(_ destination: RouteDestination) -> RouteDestination {
        var destination = destination
        destination.host = self.qualified(destination.host)
        return destination
    }
}
