/// Which connections each port of one workload takes, decided from all PeerAuthentications.
///
/// The narrowest policy that says something decides: the port, the workload, the namespace, the mesh. Of equally
/// wide ones the oldest is in force and the others are not looked at, even if it leaves its mode open (Istio's rule).
/// Old Policies name services and not workloads, so the ones for several services of one workload hold side by side.
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
        var selected: [PeerPolicy] = []
        for policy in policies {
            let home = policy.source.id.namespace
            if policy.selector.isEmpty {
                if home == root { mesh = Self.older(mesh, policy) }
                if home == namespace { own = Self.older(own, policy) }
            } else if home == namespace, policy.selector.allSatisfy({ labels[$0.key] == $0.value }) {
                selected.append(policy)
            }
        }
        let inForce = Self.inForce(selected)
        self.workload = inForce.lazy.compactMap(\.mode).first ?? own?.mode ?? mesh?.mode ?? .permissive
        var ports: [Port: MutualTLSMode] = [:]
        for policy in inForce { ports.merge(policy.ports) { first, _ in first } }
        self.ports = ports
    }

    /// The policies that decide among those with a selector, first come first served.
    private static func inForce(_ selected: [PeerPolicy]) -> [PeerPolicy] {
        guard let oldest = selected.min(by: Self.isOlder) else { return [] }
        return oldest.isLegacy ? selected.filter(\.isLegacy).sorted(by: Self.isOlder) : [oldest]
    }

    package func mode(of port: Port) -> MutualTLSMode { self.ports[port] ?? self.workload }

    private static func older(_ current: PeerPolicy?, _ other: PeerPolicy) -> PeerPolicy {
        guard let current else { return other }
        return self.isOlder(other, current) ? other : current
    }

    private static func isOlder(_ left: PeerPolicy, _ right: PeerPolicy) -> Bool {
        (left.createdAt, left.source.id, left.source.kind) < (right.createdAt, right.source.id, right.source.kind)
    }
}
