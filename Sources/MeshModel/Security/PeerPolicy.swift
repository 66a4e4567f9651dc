/// Whether a workload's port takes connections with or without mutual TLS (PeerAuthentication `mtls.mode`).
package enum MutualTLSMode: String, Hashable, Sendable {
    /// Plain text only.
    case disable
    /// Both; which one is told from the first bytes (facts #64).
    case permissive
    /// Mutual TLS only.
    case strict
}

/// A PeerAuthentication, or what an old `Policy` or `MeshPolicy` says about peers.
///
/// The narrowest decides: port of a workload, workload, namespace, mesh (root namespace without a selector).
package struct PeerPolicy: Hashable, Sendable {
    package var source: ObjectReference
    package var createdAt: Int64
    /// Labels of the workloads it is for; empty: all of its namespace, or of the mesh if that is the root namespace.
    package var selector: [String: String]
    /// `nil` (UNSET): what the next wider policy says; without any, `permissive`.
    package var mode: MutualTLSMode?
    /// By the port that the workload listens on; only with a selector.
    package var ports: [Port: MutualTLSMode]
    /// One target of an old Policy, which names a service: of those, several hold for one workload.
    package var isLegacy: Bool

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:],
        mode: MutualTLSMode? = nil,
        ports: [Port: MutualTLSMode] = [:],
        isLegacy: Bool = false
    ) {
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
        self.mode = mode
        self.ports = ports
        self.isLegacy = isLegacy
    }
}
