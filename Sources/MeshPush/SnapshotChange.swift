package import MeshModel

/// What differs between two snapshots, as far as it matters for how much must be translated again.
package enum SnapshotChange: Equatable, Sendable {
    case nothing
    /// Only endpoints of clusters that receive them by EDS.
    case endpoints(EndpointChange)
    case everything

    package struct EndpointChange: Equatable, Sendable {
        /// Services whose endpoints differ.
        package var services: Set<ServiceKey>
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
            old.destinationPolicies == new.destinationPolicies
        else {
            self = .everything
            return
        }
        var change = EndpointChange(services: [], workloads: [], addresses: [])
        for service in new.services {
            let key = ServiceKey(service)
            let before = old.endpoints[key] ?? []
            let after = new.endpoints[key] ?? []
            if before == after { continue }
            // These endpoints are also in listeners, clusters or names.
            guard case .endpoints = service.resolution, !service.isHeadless else {
                self = .everything
                return
            }
            change.services.insert(key)
            for endpoint in Set(before).symmetricDifference(after) {
                if let workload = endpoint.workload { change.workloads.insert(workload) }
                if case .ip(let address) = endpoint.address { change.addresses.insert(address) }
            }
        }
        self = change.services.isEmpty ? .nothing : .endpoints(change)
    }
}
