/// A service as the policy engine is told of it.
package final class MixerService: Sendable {
    /// Lower case.
    package let host: String
    /// `destination.service.*`, by name.
    package let attributes: [String: MixerValue]
    /// Proxies of clients charge quotas for it: no proxy of the mesh stands in front of it that would.
    package let isChargedByClients: Bool
    /// The values of `attributes` as keys of caches have them.
    let keys: [String: [UInt8]]
    /// What requests may call it: the host and, of a service of the cluster, its shorter forms.
    let names: [[UInt8]]

    package init(host: String, attributes: [String: MixerValue], isChargedByClients: Bool = false) {
        self.host = host.lowercased()
        self.attributes = attributes
        self.isChargedByClients = isChargedByClients
        self.keys = attributes.mapValues(\.keyBytes)
        let labels = self.host.split(separator: ".", omittingEmptySubsequences: false)
        let isOfCluster = labels.count > 3 && labels[2] == "svc"
        let counts = isOfCluster ? [labels.count, 3, 2, 1] : [labels.count]
        self.names = counts.map { Array(labels.prefix($0).joined(separator: ".").utf8) }
    }
}

/// What holds for requests to some services.
package struct MixerServiceRules: Sendable {
    /// In lower case; `*.example.com` stands for all hosts that end so, `*` for all.
    package var host: String
    /// `nil`: only quotas are said of it.
    package var service: MixerService?
    package var quotas: [QuotaRule]

    package init(host: String, service: MixerService? = nil, quotas: [QuotaRule] = []) {
        self.host = host
        self.service = service
        self.quotas = quotas
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
        guard self.services.count > 1 else { return self.first }
        let host = Self.host(request[request.authority])
        for rules in self.services {
            guard let service = rules.service else { continue }
            if service.names.contains(where: { host.equals($0, ignoringCase: true) }) {
                return MixerDestination(service: service, quotas: rules.quotas)
            }
        }
        return self.first
    }

    /// For a request or connection that leaves for a cluster; `service`: the one that the cluster stands for.
    package func destination(of service: MixerService?) -> MixerDestination {
        guard let service, service.isChargedByClients, !self.services.isEmpty else {
            return MixerDestination(service: service)
        }
        let quotas = self.services.filter { $0.covers(service.host) }.flatMap(\.quotas)
        return MixerDestination(service: service, quotas: quotas)
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
