/// How well another cluster is known; what `lateen remote-clusters` shows.
package struct RemoteClusterStatus: Hashable, Sendable {
    package enum State: String, Hashable, Sendable { case connecting, synced, error }

    package var name: String
    /// Where it was told of.
    package var secret: String
    package var server = ""
    /// Why it does not answer; `nil`: it does.
    package var fault: String?
    private var kinds: Set<String> = []

    package init(name: String, secret: String) {
        self.name = name
        self.secret = secret
    }

    /// All objects of a kind are known.
    package mutating func synced(_ kind: MeshKind) { self.kinds.insert(kind.rawValue) }

    /// What was known by an earlier connection is still in use.
    package mutating func takeOver(_ before: RemoteClusterStatus) { self.kinds = before.kinds }

    /// Whether everything was known once; it stays in use while the cluster does not answer.
    package var isKnown: Bool { RemoteCluster.kinds.allSatisfy { self.kinds.contains($0.rawValue) } }

    package var state: State { self.fault != nil ? .error : self.isKnown ? .synced : .connecting }
}
