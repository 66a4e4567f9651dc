/// A service as the policy engine is told of it.
package final class MixerService: Sendable {
    /// Lower case.
    package let host: String
    /// `destination.service.*`, by name.
    package let attributes: [String: MixerValue]
    /// Proxies of clients charge quotas for it: no proxy of the mesh stands in front of it that would.
    package let isChargedByClients: Bool
    /// Where requests may have their API key, in this order; empty: where Istio's proxies look by default.
    let keyPlaces: [APIKeyPlace]
    /// The values of `attributes` as keys of caches have them.
    let keys: [String: [UInt8]]
    /// What requests may call it: the host and, of a service of the cluster, its shorter forms.
    let names: [[UInt8]]

    package init(host: String, attributes: [String: MixerValue], isChargedByClients: Bool = false) {
        self.host = host.lowercased()
        self.attributes = attributes
        self.isChargedByClients = isChargedByClients
        self.keyPlaces = []
        self.keys = attributes.mapValues(\.keyBytes)
        let labels = self.host.split(separator: ".", omittingEmptySubsequences: false)
        let isOfCluster = labels.count > 3 && labels[2] == "svc"
        let counts = isOfCluster ? [labels.count, 3, 2, 1] : [labels.count]
        self.names = counts.map { Array(labels.prefix($0).joined(separator: ".").utf8) }
    }

    /// The same service, of which more is said; what was said before stays.
    init(_ service: MixerService, adding attributes: [String: MixerValue], keyPlaces: [APIKeyPlace]) {
        self.host = service.host
        self.attributes = attributes.merging(service.attributes) { $1 }
        self.isChargedByClients = service.isChargedByClients
        self.keyPlaces = keyPlaces
        self.keys = self.attributes.mapValues(\.keyBytes)
        self.names = service.names
    }
}

/// What holds for requests to some services.
package struct MixerServiceRules: Sendable {
    /// In lower case; `*.example.com` stands for all hosts that end so, `*` for all.
    package var host: String
    /// `nil`: only quotas are said of it.
    package var service: MixerService?
    package var quotas: [QuotaRule]
    /// What requests to the service mean; `nil`: nobody says.
    package var interface: ServiceInterface?

    package init(
        host: String,
        service: MixerService? = nil,
        quotas: [QuotaRule] = [],
        interface: ServiceInterface? = nil
    ) {
        self.host = host
        self.service = service
        self.quotas = quotas
        self.interface = interface
    }

    func destination(of request: RequestView) -> MixerDestination {
        MixerDestination(service: self.interface?.service(of: request) ?? self.service, quotas: self.quotas)
    }

    func covers(_ host: String) -> Bool {
        guard self.host.hasPrefix("*") else { return self.host == host }
        return host.hasSuffix(self.host.dropFirst())
    }
}

/// The service that a request is for, and what it is charged.
package struct MixerDestination: Sendable {
    /// `nil`: none is known.
    package var service: MixerService?
    package var quotas: [QuotaRule]

    package init(service: MixerService? = nil, quotas: [QuotaRule] = []) {
        self.service = service
        self.quotas = quotas
    }
}

extension MixerPolicy {
    /// What the settings say of a request to a service, by name: of the proxy, and of the service.
    func attributes(of service: MixerService?) -> [String: MixerValue] {
        guard let service else { return self.attributes }
        return self.attributes.merging(service.attributes) { $1 }
    }

    /// For a request that has come to its workload, by the host that it names: of the services that lead to the port
    /// the first with this name, else the first of all.
    package func destination(of request: RequestView) -> MixerDestination {
        guard let first = self.services.first else { return MixerDestination() }
        if self.services.count == 1 { return first.destination(of: request) }
        let host = Self.host(request[request.authority])
        for rules in self.services {
            guard let service = rules.service else { continue }
            if service.names.contains(where: { host.equals($0, ignoringCase: true) }) {
                return rules.destination(of: request)
            }
        }
        return first.destination(of: request)
    }

    /// For a request, or without one a connection, that leaves for a cluster; `service`: the one that the cluster stands for.
    package func destination(of service: MixerService?, _ request: RequestView? = nil) -> MixerDestination {
        guard let service, service.isChargedByClients, !self.services.isEmpty else {
            return MixerDestination(service: service)
        }
        let rules = self.services.filter { $0.covers(service.host) }
        var destination = MixerDestination(service: service, quotas: rules.flatMap(\.quotas))
        if let request, let interface = rules.lazy.compactMap(\.interface).first {
            destination.service = interface.service(of: request)
        }
        return destination
    }

    /// Where nothing says which service is meant.
    package var first: MixerDestination {
        self.services.first.map { MixerDestination(service: $0.service, quotas: $0.quotas) } ?? MixerDestination()
    }

    /// Without a port and the dot of the root.
    private static func host(_ authority: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = authority.count
        if let colon = authority.lastIndex(of: UInt8(ascii: ":")), authority.last != UInt8(ascii: "]") { end = colon }
        if end > 0, authority[end - 1] == UInt8(ascii: ".") { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: authority[..<end])
    }
}
