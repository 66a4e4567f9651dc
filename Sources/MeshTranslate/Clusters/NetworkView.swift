import MeshModel

/// How a proxy gets to endpoints: to those on its own network directly, to others by the gateways of theirs.
///
/// A gateway reads nothing but the server name of the TLS that the proxy speaks with the endpoint, so endpoints without
/// an identity cannot be reached, and connections without mutual TLS do not get through.
struct NetworkView {
    /// The proxy's network; empty: it has no name.
    let network: String
    /// That of endpoints of our cluster that say no other.
    let clusterNetwork: String
    let gateways: [String: [NetworkGateway]]
    /// The cluster speaks mutual TLS to endpoints that take it.
    let speaksMesh: Bool

    /// What the proxy connects to, with weights as the endpoints behind have them.
    func reachable(_ endpoints: [Endpoint], ranking: LocalityRanking) -> [Endpoint] {
        var direct: [Endpoint] = []
        var behind: [Group: (first: Endpoint, weight: UInt64)] = [:]
        for endpoint in endpoints {
            if self.isDirect(endpoint) {
                direct.append(endpoint)
                continue
            }
            guard self.speaksMesh, endpoint.hasMeshIdentity else { continue }
            let group = Group(
                network: self.network(of: endpoint),
                locality: endpoint.locality,
                priority: ranking.priority(of: endpoint.locality, labels: endpoint.labels)
            )
            let before = behind[group]
            behind[group] = (before?.first ?? endpoint, (before?.weight ?? 0).plus(UInt64(max(1, endpoint.weight))))
        }
        if behind.isEmpty { return direct }
        // A group's weight is shared by its gateways; to stay whole, all weights grow by a number that they divide.
        let counts = Set(behind.keys.map { self.gateways[$0.network]?.count ?? 0 }.filter { $0 > 0 })
        let scale = UInt64(counts.reduce(1) { Self.leastCommonMultiple($0, $1) })
        var result = direct.map { (endpoint: $0, weight: UInt64(max(1, $0.weight)).times(scale)) }
        for (group, (first, weight)) in behind {
            let gateways = self.gateways[group.network] ?? []
            for gateway in gateways {
                // Labels and locality stay those of the endpoints, so that preferences hold.
                var endpoint = first
                endpoint.address = .ip(gateway.address)
                endpoint.port = gateway.port
                result.append((endpoint, weight.times(scale / UInt64(gateways.count))))
            }
        }
        return Self.fitted(result)
    }

    /// Weights that proxies take: of all endpoints together less than 2³² (Envoy's `LbEndpoint.load_balancing_weight`).
    private static func fitted(_ endpoints: [(endpoint: Endpoint, weight: UInt64)]) -> [Endpoint] {
        let sum = endpoints.reduce(UInt64(0)) { $0.plus($1.weight) }
        // Half of what would do leaves room for those that are raised to 1.
        let divisor = sum <= UInt64(UInt32.max) ? 1 : sum / UInt64(UInt32.max / 2) + 1
        return endpoints.map { endpoint, weight in
            var endpoint = endpoint
            endpoint.weight = UInt32(clamping: max(1, weight / divisor))
            return endpoint
        }
    }

    /// Endpoints that are alike for everybody who comes through their gateways.
    private struct Group: Hashable {
        var network: String
        var locality: Locality
        var priority: Int
    }

    /// Without a gateway an endpoint of our own cluster is dialled all the same; other clusters' are out of reach.
    private func isDirect(_ endpoint: Endpoint) -> Bool {
        let network = self.network(of: endpoint)
        if network.isEmpty || network == self.network { return true }
        return endpoint.cluster.isEmpty && self.gateways[network] == nil
    }

    private func network(of endpoint: Endpoint) -> String {
        endpoint.network.isEmpty && endpoint.cluster.isEmpty ? self.clusterNetwork : endpoint.network
    }

    /// Few gateways make small numbers; what would overflow is cut, and weights are then only about right.
    private static func leastCommonMultiple(_ left: Int, _ right: Int) -> Int {
        var (a, b) = (left, right)
        while b != 0 { (a, b) = (b, a % b) }
        return min(left / a * right, 5040)
    }
}

/// People write weights, so sums of them stop at the end of the machine word instead of trapping there.
extension UInt64 {
    fileprivate func plus(_ other: UInt64) -> UInt64 {
        let (sum, isTooMuch) = self.addingReportingOverflow(other)
        return isTooMuch ? .max : sum
    }

    fileprivate func times(_ other: UInt64) -> UInt64 {
        let (product, isTooMuch) = self.multipliedReportingOverflow(by: other)
        return isTooMuch ? .max : product
    }
}
