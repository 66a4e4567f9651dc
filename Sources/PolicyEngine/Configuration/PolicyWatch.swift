package import KubernetesAPI
internal import Synchronization

/// Follows the engine's objects through the Kubernetes API and hands out configurations.
///
/// The first one comes when every kind has been listed once: half the rules are none that anybody wrote.
package final class PolicyWatch: Sendable {
    private struct State {
        var objects: [ResourceType: [ObjectKey: KubernetesObject]] = [:]
        var unsynced = Set(PolicyKinds.all)
    }

    private let client: KubernetesClient
    private let builder: ConfigurationBuilder
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    package init(client: KubernetesClient, builder: ConfigurationBuilder) {
        self.client = client
        self.builder = builder
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Runs until cancelled; may be called once. `onConfiguration` is called for one configuration at a time.
    package func run(onConfiguration: @escaping @Sendable (PolicyConfiguration) -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for type in PolicyKinds.all { group.addTask { await self.follow(type) } }
            group.addTask { await self.build(onConfiguration) }
            await group.waitForAll()
        }
    }

    private func follow(_ type: ResourceType) async {
        await self.client.reflect(
            type,
            onSynced: {
                self.state.withLock { _ = $0.unsynced.remove(type) }
                self.signal.yield()
            },
            onChange: { change in
                self.state.withLock { state in
                    switch change {
                    case .replacedAll(let objects):
                        state.objects[type] = Dictionary(objects.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
                    case .added(let object), .modified(let object):
                        state.objects[type, default: [:]][object.key] = object
                    case .deleted(let object): state.objects[type]?[object.key] = nil
                    }
                }
                self.signal.yield()
            }
        )
    }

    private func build(_ onConfiguration: @Sendable (PolicyConfiguration) -> Void) async {
        var builder = self.builder
        for await _ in self.signals {
            let objects: [KubernetesObject]? = self.state.withLock { state in
                guard state.unsynced.isEmpty else { return nil }
                return state.objects.values.flatMap { Array($0.values) }
            }
            guard let objects else { continue }
            let configuration = builder.build(objects)
            builder.previous = configuration
            onConfiguration(configuration)
        }
    }
}
