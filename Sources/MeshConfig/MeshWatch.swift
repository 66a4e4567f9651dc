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
        var change = MeshChange.full
        var unsynced = Set(MeshKind.allCases)
    }

    private let client: KubernetesClient
    private let state: Mutex<State>
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    package init(client: KubernetesClient, objects: MeshObjects = MeshObjects()) {
        self.client = client
        self.state = Mutex(State(objects: objects))
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

    private func follow(_ kind: MeshKind) async {
        let root = self.state.withLock { $0.objects.rootNamespace }
        // Of all ConfigMaps one matters.
        let isSettings = kind == .configMap
        await self.client.reflect(
            kind.resourceType,
            namespace: isSettings ? root : nil,
            fieldSelector: isSettings ? "metadata.name=\(MeshSettingsParser.name)" : nil,
            onSynced: {
                self.state.withLock { _ = $0.unsynced.remove(kind) }
                self.signal.yield()
            },
            onChange: { change in
                let isNews = self.state.withLock { state in
                    let result = state.objects.apply(kind, change)
                    state.change = state.change.merged(with: result)
                    return result != .nothing
                }
                if isNews { self.signal.yield() }
            }
        )
    }

    private func build(_ onSnapshot: @Sendable (MeshSnapshot, MeshChange) async -> Void) async {
        var snapshot = MeshSnapshot()
        for await _ in self.signals {
            let taken = self.state.withLock { state -> (MeshObjects, MeshChange)? in
                guard state.unsynced.isEmpty, state.change != .nothing else { return nil }
                defer { state.change = .nothing }
                return (state.objects, state.change)
            }
            guard let (objects, change) = taken else { continue }
            snapshot = SnapshotBuilder.rebuild(
                snapshot,
                after: change,
                of: objects,
                revision: snapshot.revision + 1
            )
            await onSnapshot(snapshot, change)
        }
    }
}
