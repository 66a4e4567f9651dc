/// Which connections each port of one workload takes, decided from all PeerAuthentications.
///
/// The narrowest policy that says something decides: the port, the workload, the namespace, the mesh. Of equally
/// wide ones the oldest is in force and the others are not looked at, even if it leaves its mode open (Istio's rule).
package struct PeerModes: Hashable, Sendable {
    /// Of ports that have no mode of their own.
    package let workload: MutualTLSMode
    /// By the port that the workload listens on.
    package let ports: [Port: MutualTLSMode]

    /// - Parameters:
    ///   - policies: all of the mesh, in any order.
    ///   - namespace: of the workload.
    ///   - labels: of the workload; selectors reach only into their own namespace.
    ///   - root: the namespace whose policies without a selector hold for the mesh.
    package init(_ policies: [PeerPolicy], namespace: String, labels: [String: String], root: String) {
        var mesh: PeerPolicy?
        var own: PeerPolicy?
        var selected: PeerPolicy?
        for policy in policies {
            let home = policy.source.id.namespace
            if policy.selector.isEmpty {
                if home == root { mesh = Self.older(mesh, policy) }
                if home == namespace { own = Self.older(own, policy) }
            } else if home == namespace, policy.selector.allSatisfy({ labels[$0.key] == $0.value }) {
                selected = Self.older(selected, policy)
            }
        }
        self.workload = selected?.mode ?? own?.mode ?? mesh?.mode ?? .permissive
        self.ports = selected?.ports ?? [:]
    }

    package func mode(of port: Port) -> MutualTLSMode { self.ports[port] ?? self.workload }

    private static func older(_ current: PeerPolicy?, _ other: PeerPolicy) -> PeerPolicy {
        guard let current else { return other }
        return (other.createdAt, other.source.id, other.source.kind)
            < (current.createdAt, current.source.id, current.source.kind) ? other : current
    }
}
