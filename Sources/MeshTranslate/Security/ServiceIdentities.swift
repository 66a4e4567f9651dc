package import MeshModel

/// What clients must know about the identities behind a service before they speak TLS to it.
///
/// Clusters depend on it and on nothing else of the endpoints, so that pods may come and go without new clusters.
package struct ServiceIdentities: Hashable, Sendable {
    package struct Account: Hashable, Sendable {
        package var namespace: String
        package var name: String
    }

    /// Of all endpoints, also of those that are not ready yet,
    package let accounts: Set<Account>
    /// and of those that take mutual TLS.
    package let meshAccounts: Set<Account>
    /// There are endpoints whose account nobody knows,
    package let hasUnknown: Bool
    /// and such that take mutual TLS.
    package let hasUnknownOfMesh: Bool
    /// There are endpoints, and all of them take mutual TLS.
    package let areAllOfMesh: Bool

    package init(_ endpoints: [Endpoint], of service: Service) {
        func account(_ endpoint: Endpoint) -> Account? {
            guard let name = endpoint.serviceAccount, !name.isEmpty else { return nil }
            return Account(namespace: endpoint.workload?.namespace ?? service.namespace, name: name)
        }
        let ofMesh = endpoints.filter(\.hasMeshIdentity)
        self.accounts = Set(endpoints.compactMap(account))
        self.meshAccounts = Set(ofMesh.compactMap(account))
        self.hasUnknown = endpoints.contains { account($0) == nil }
        self.hasUnknownOfMesh = ofMesh.contains { account($0) == nil }
        self.areAllOfMesh = !endpoints.isEmpty && endpoints.allSatisfy(\.hasMeshIdentity)
    }

    /// The accounts that a server must have one of; `nil`: any of the mesh must do.
    ///
    /// - Parameter isAsked: a DestinationRule wants mutual TLS for all endpoints, whether they are known to take it or
    ///   not; else only those count that do.
    /// - Returns: never an empty set.
    func accountsRequired(isAsked: Bool) -> Set<Account>? {
        let isOpen = isAsked ? self.hasUnknown : self.hasUnknownOfMesh
        let accounts = isAsked ? self.accounts : self.meshAccounts
        return isOpen || accounts.isEmpty ? nil : accounts
    }

    /// Whether clusters are the same with both; `isAsked` as in `accountsRequired`.
    package func isAlike(_ other: ServiceIdentities, isAsked: Bool) -> Bool {
        if isAsked { return self == other }
        return self.areAllOfMesh == other.areAllOfMesh
            && self.accountsRequired(isAsked: false) == other.accountsRequired(isAsked: false)
    }
}
