package import KubernetesAPI
import Synchronization

/// A copy of the cluster's objects of some types, kept current by watches and shared by everything in the platform.
///
/// Readers see each object as the API server last sent it. Whoever wants to know of changes asks for ``changes(of:)``.
package final class Mirror: Sendable {
    private struct State {
        var objects: [ResourceType: [ObjectKey: KubernetesObject]] = [:]
        var synced: Set<ResourceType> = []
        var listeners: [Int: (types: Set<ResourceType>, continuation: AsyncStream<Void>.Continuation)] = [:]
        var nextListener = 0
    }

    private let client: KubernetesClient
    private let types: [ResourceType]
    private let state = Mutex(State())

    package init(client: KubernetesClient, types: [ResourceType]) {
        self.client = client
        self.types = types
    }

    /// Follows all types until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for type in self.types {
                group.addTask {
                    await self.client.reflect(type) { change in self.apply(change, of: type) }
                }
            }
        }
    }

    package func objects(_ type: ResourceType) -> [KubernetesObject] {
        self.state.withLock { Array(($0.objects[type] ?? [:]).values) }
    }

    package func object(_ type: ResourceType, namespace: String?, name: String) -> KubernetesObject? {
        self.state.withLock { $0.objects[type]?[ObjectKey(namespace: namespace, name: name)] }
    }

    /// Whether each of the types was listed at least once; before that, absence means nothing.
    package func isSynced(_ types: Set<ResourceType>) -> Bool {
        self.state.withLock { $0.synced.isSuperset(of: types) }
    }

    /// Wakes after changes of these types; changes that come while the listener is busy are one.
    package func changes(of types: Set<ResourceType>) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = self.state.withLock { state in
            defer { state.nextListener += 1 }
            state.listeners[state.nextListener] = (types, continuation)
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.listeners.removeValue(forKey: id) }
        }
        continuation.yield()
        return stream
    }

    /// Puts a newer state in, so that a controller sees its own writes before the watch brings them.
    package func wrote(_ object: KubernetesObject, of type: ResourceType) {
        self.apply(.modified(object), of: type)
    }

    private func apply(_ change: ObjectChange, of type: ResourceType) {
        let listeners = self.state.withLock { state in
            switch change {
            case .replacedAll(let objects):
                state.objects[type] = Dictionary(objects.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
                state.synced.insert(type)
            case .added(let object), .modified(let object):
                // An answer to a write may come after the watch has brought something newer.
                if let known = state.objects[type]?[object.key], known.uid == object.uid,
                    let old = UInt64(known.resourceVersion), let new = UInt64(object.resourceVersion), new <= old
                {
                    return [AsyncStream<Void>.Continuation]()
                }
                state.objects[type, default: [:]][object.key] = object
            case .deleted(let object):
                if let known = state.objects[type]?[object.key], known.uid != object.uid { return [] }
                state.objects[type]?[object.key] = nil
            }
            return state.listeners.values.filter { $0.types.contains(type) }.map(\.continuation)
        }
        for listener in listeners { listener.yield() }
    }
}
