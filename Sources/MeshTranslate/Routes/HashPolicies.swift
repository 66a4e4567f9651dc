import MeshModel
import SwiftProtobuf
import XDSAPI

extension ProxyScope {
    typealias HashPolicy = Envoy_Config_Route_V3_RouteAction.HashPolicy

    /// What requests to `destinations` are spread by, where a DestinationRule wants equal keys to stay together.
    ///
    /// A route has one list for all of its destinations; each policy in it stands there once.
    func hashPolicies(of destinations: [RouteDestination], dialled port: Port) -> [HashPolicy] {
        var policies: [HashPolicy] = []
        for destination in destinations {
            guard let service = self.destinationByHost[destination.host] else { continue }
            let effective = self.policy(for: service)
            let subset = effective.subsets.first { $0.name == destination.subset }
            let target = destination.port ?? (service.ports.count == 1 ? service.ports[0].port : port)
            guard case .consistentHash(let hash) = effective.policy(port: target, subset: subset).loadBalancing else {
                continue
            }
            let policy = Self.message(hash.key)
            if !policies.contains(policy) { policies.append(policy) }
        }
        return policies
    }

    private static func message(_ key: ConsistentHash.Key) -> HashPolicy {
        .with {
            switch key {
            case .header(let name): $0.header.headerName = name
            case .sourceAddress: $0.connectionProperties.sourceIp = true
            case .queryParameter(let name): $0.queryParameter.name = name
            case .cookie(let name, let path, let ttl):
                $0.cookie.name = name
                $0.cookie.path = path
                // Also of no length: that makes a cookie for the session, none at all makes no cookie.
                if let ttl { $0.cookie.ttl = Google_Protobuf_Duration(ttl) }
            }
        }
    }
}
