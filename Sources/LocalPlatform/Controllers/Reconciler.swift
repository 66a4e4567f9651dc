import KubernetesAPI
import Logging

/// A controller: looks at the objects of some types and makes the cluster follow them.
protocol Reconciler: Sendable {
    var name: String { get }
    /// Changes of these types call for a look.
    var types: Set<ResourceType> { get }
    /// Does all that can be done now; returns how soon to look again even if nothing changes.
    func reconcile() async -> Duration?
}

extension Reconciler {
    /// Runs the controller until the task is cancelled.
    func run(mirror: Mirror, logger: Logger) async {
        let (ticks, tick) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let changes = mirror.changes(of: self.types)
        let types = self.types
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in changes { tick.yield() }
                tick.finish()
            }
            for await _ in ticks where mirror.isSynced(types) {
                guard let wait = await self.reconcile() else { continue }
                group.addTask {
                    try? await Task.sleep(for: wait)
                    tick.yield()
                }
            }
            group.cancelAll()
        }
        logger.debug("controller stopped", metadata: ["controller": "\(self.name)"])
    }
}
