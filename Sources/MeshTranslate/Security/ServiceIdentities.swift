package import MeshModel

/// What clients must know about the identities behind a service before they speak TLS to it.
///
/// Clusters depend on it and on nothing else of the endpoints, so that pods may come and go without new clusters.
package struct ServiceIdentities: Hashable, Sendable {
    package struct Account: Hashable, Sendable {
        package var namespace: String
        package var name: String
    }

    /// Of all endpoints, also of those that are not ready yet.
    package let accounts: Set<Account>
    /// There are endpoints whose account nobody knows,
    package let hasUnknown: Bool
    /// and such that take mutual TLS.
    package let hasUnknownOfMesh: Bool
    /// There are endpoints, and all of them take mutual TLS.
    package let areAllOfMesh: Bool

    package init(_ endpoints: [Endpoint], of service: Service) {
        let known = endpoints.map { endpoint in
            Account(
                namespace: endpoint.workload?.namespace ?? service.namespace,
                name: endpoint.serviceAccount ?? ""
            )
        }
        self.accounts = Set(known.filter { !$0.name.isEmpty })
        self.hasUnknown = known.contains { $0.name.isEmpty }
        self.hasUnknownOfMesh = endpoints.contains { $0.hasMeshIdentity && ($0.serviceAccount ?? "").isEmpty }
        self.areAllOfMesh = !endpoints.isEmpty && endpoints.allSatisfy(\.hasMeshIdentity)
    }

    /// The accounts that a server must have one of; `nil`: any of the mesh must do.
    ///
    /// - Parameter isAsked: a DestinationRule wants mutual TLS for all endpoints, whether they are known to take it or
    ///   not; else only those count that do.
    /// - Returns: never an empty set.
    func accountsRequired(isAsked: Bool) -> Set<Account>? {
        let isOpen = isAsked ? self.hasUnknown : self.hasUnknownOfMesh
        return isOpen || self.accounts.isEmpty ? nil : self.accounts
    }
}
