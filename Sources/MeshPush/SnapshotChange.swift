package import MeshModel
import MeshTranslate

/// What differs between two snapshots, as far as it matters for how much must be translated again.
package enum SnapshotChange: Equatable, Sendable {
    case nothing
    /// Only endpoints of clusters that receive them by EDS, and instances of headless services.
    case endpoints(EndpointChange)
    case everything

    package struct EndpointChange: Equatable, Sendable {
        /// Services whose endpoints differ.
        package var services: Set<ServiceKey>
        /// Headless services whose instances differ: names lead to them, and listeners know their addresses.
        package var headless: Set<ServiceKey> = []
        /// Workloads and addresses behind the endpoints that came, went or changed: inbound configuration depends
        /// on them.
        package var workloads: Set<ObjectID>
        package var addresses: Set<IPAddress>

        /// Whether what reaches the workload of `proxy` may have changed.
        package func concerns(_ proxy: ProxyKey) -> Bool {
            self.workloads.contains(proxy.workload) || self.addresses.contains(proxy.address)
        }
    }

    package init(from old: MeshSnapshot, to new: MeshSnapshot) {
        guard old.settings == new.settings, old.services == new.services, old.routeRules == new.routeRules,
            old.destinationPolicies == new.destinationPolicies, old.gateways == new.gateways,
            old.sidecars == new.sidecars, old.peerPolicies == new.peerPolicies,
            old.authorizationRules == new.authorizationRules,
            old.requestAuthentications == new.requestAuthentications, old.credentials == new.credentials,
            old.quotas == new.quotas, old.interfaces == new.interfaces, old.network == new.network,
            old.networkGateways == new.networkGateways
        else {
            self = .everything
            return
        }
        var change = EndpointChange(services: [], workloads: [], addresses: [])
        for service in new.services {
            let key = ServiceKey(service)
            let before = old.endpoints[key] ?? []
            let after = new.endpoints[key] ?? []
            if before == after, !service.isHeadless || old.instances[key] == new.instances[key] { continue }
            let identities = (ServiceIdentities(before, of: service), ServiceIdentities(after, of: service))
            // These endpoints are also in clusters.
            guard case .endpoints = service.resolution,
                identities.0.isAlike(identities.1, isAsked: new.asksForMesh(service.host))
            else {
                self = .everything
                return
            }
            if service.isHeadless { change.headless.insert(key) } else { change.services.insert(key) }
            for endpoint in Set(before).symmetricDifference(after) {
                if let workload = endpoint.workload { change.workloads.insert(workload) }
                if case .ip(let address) = endpoint.address { change.addresses.insert(address) }
            }
        }
        self = change.services.isEmpty && change.headless.isEmpty ? .nothing : .endpoints(change)
    }
}

extension MeshSnapshot {
    /// Whether a DestinationRule may want mutual TLS for all endpoints of a host, whether they are known to take it or not.
    fileprivate func asksForMesh(_ host: HostName) -> Bool {
        self.destinationPolicies.contains { rule in
            guard rule.host.covers(host) else { return false }
            let policies = [rule.policy] + rule.subsets.compactMap(\.policy)
            return policies.contains { policy in
                policy.tls?.mode == .istioMutual || policy.ports.values.contains { $0.tls?.mode == .istioMutual }
            }
        }
    }
}
