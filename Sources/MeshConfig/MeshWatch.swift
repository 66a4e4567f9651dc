package import KubernetesAPI
package import MeshModel
import Synchronization

/// Follows the objects of the mesh through the Kubernetes API and hands out snapshots.
///
/// The first snapshot comes when every kind has been listed once, so that a control plane that starts does not push
/// half a mesh. Changes that come while a snapshot is being built go into the next one together.
package final class MeshWatch: Sendable {
    private struct State {
        var objects: MeshObjects
        var remotes = RemoteObjects()
        /// The first snapshot waits until it is known what other clusters have.
        var waitsForRemotes: Bool
        var change = MeshChange.full
        var unsynced = Set(MeshKind.allCases)
    }

    private let client: KubernetesClient
    private let state: Mutex<State>
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - client: of our cluster.
    ///   - objects: empty, with the mesh's names.
    ///   - waitsForRemotes: hand out nothing before ``remotesAreKnown()`` is called.
    package init(client: KubernetesClient, objects: MeshObjects = MeshObjects(), waitsForRemotes: Bool = false) {
        self.client = client
        self.state = Mutex(State(objects: objects, waitsForRemotes: waitsForRemotes))
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether every kind has been listed.
    package var isSynced: Bool { self.state.withLock { $0.unsynced.isEmpty } }

    /// Runs until cancelled; may be called once. `onSnapshot` is called for one snapshot at a time.
    package func run(onSnapshot: @escaping @Sendable (MeshSnapshot, MeshChange) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for kind in MeshKind.allCases {
                group.addTask { await self.follow(kind) }
            }
            group.addTask { await self.build(onSnapshot) }
            await group.waitForAll()
        }
    }

    // MARK: Other clusters

    /// From now on `connection` says what the cluster has; what was known of it before stays until then.
    package func connected(_ cluster: String, connection: UInt64) {
        self.state.withLock { state in
            let empty = MeshObjects(
                domainSuffix: state.objects.domainSuffix,
                rootNamespace: state.objects.rootNamespace,
                virtualAddresses: state.objects.virtualAddresses
            )
            state.remotes.connected(cluster, connection: connection, empty: empty)
        }
    }

    package func apply(_ kind: MeshKind, _ change: ObjectChange, of cluster: String, connection: UInt64) {
        self.note { $0.remotes.apply(kind, change, of: cluster, connection: connection) }
    }

    /// All objects of a kind have been applied.
    package func listed(_ kind: MeshKind, of cluster: String, connection: UInt64) {
        self.note { $0.remotes.listed(kind, of: cluster, connection: connection) }
    }

    /// The cluster is no longer part of the mesh.
    package func removed(_ cluster: String) { self.note { $0.remotes.removed(cluster) } }

    /// Other clusters have been heard, or do not answer.
    package func remotesAreKnown() {
        self.state.withLock { $0.waitsForRemotes = false }
        self.signal.yield()
    }

    private func note(_ body: (inout State) -> MeshChange) {
        let isNews = self.state.withLock { state in
            let result = body(&state)
            state.change = state.change.merged(with: result)
            return result != .nothing
        }
        if isNews { self.signal.yield() }
    }

    private func follow(_ kind: MeshKind) async {
        let root = self.state.withLock { $0.objects.rootNamespace }
        // Of all ConfigMaps one matters, and of all namespaces.
        let isSettings = kind == .configMap
        let name = isSettings ? MeshSettingsParser.name : kind == .namespace ? root : nil
        await self.client.reflect(
            kind.resourceType,
            namespace: isSettings ? root : nil,
            fieldSelector: name.map { "metadata.name=\($0)" },
            onSynced: {
                self.state.withLock { _ = $0.unsynced.remove(kind) }
                self.signal.yield()
            },
            onChange: { change in self.note { $0.objects.apply(kind, change) } }
        )
    }

    private func build(_ onSnapshot: @Sendable (MeshSnapshot, MeshChange) async -> Void) async {
        var snapshot = MeshSnapshot()
        for await _ in self.signals {
            let taken = self.state.withLock { state -> (MeshObjects, [RemoteCluster], MeshChange)? in
                guard state.unsynced.isEmpty, !state.waitsForRemotes, state.change != .nothing else { return nil }
                defer { state.change = .nothing }
                return (state.objects, state.remotes.usable, state.change)
            }
            guard let (objects, remotes, change) = taken else { continue }
            snapshot = SnapshotBuilder.rebuild(
                snapshot,
                after: change,
                of: objects,
                remotes: remotes,
                revision: snapshot.revision + 1
            )
            await onSnapshot(snapshot, change)
        }
    }
}
