import KubernetesAPI
import Logging
import MeshConfig
import Synchronization

/// Follows the other clusters of the mesh: one connection to the API server of each.
///
/// A server that does not answer is asked again and again; what was known of its cluster stays.
final class RemoteClusters: Sendable {
    private struct State {
        var book: RemoteClusterBook
        var statuses: [String: RemoteClusterStatus] = [:]
        var connections: UInt64 = 0
        /// Clusters that the first snapshot waits for; `nil`: it is not known yet which there are.
        var awaited: Set<String>?
    }

    private let client: KubernetesClient
    private let watch: MeshWatch
    private let namespace: String
    private let logger: Logger
    private let state: Mutex<State>

    /// How often it is looked whether a server answers.
    private static let probeInterval: Duration = .seconds(3)
    private static let probeLimit: Duration = .seconds(3)
    /// How long the first snapshot waits: proxies that come meanwhile keep what they have.
    private static let patience: Duration = .seconds(5)

    init(client: KubernetesClient, watch: MeshWatch, cluster: String, namespace: String, logger: Logger) {
        self.client = client
        self.watch = watch
        self.namespace = namespace
        self.logger = logger
        self.state = Mutex(State(book: RemoteClusterBook(ownName: cluster)))
    }

    /// By name.
    var statuses: [RemoteClusterStatus] {
        self.state.withLock { $0.statuses.values.sorted { $0.name < $1.name } }
    }

    /// Runs until cancelled.
    func run() async {
        let (steps, next) = AsyncStream.makeStream(of: RemoteClusterBook.Step.self)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followSecrets(next) }
            group.addTask {
                try? await Task.sleep(for: Self.patience)  // Cancelled: nobody waits any more.
                self.watch.remotesAreKnown()
            }
            var running: [String: AsyncStream<Void>.Continuation] = [:]
            for await step in steps {
                switch step {
                case .connect(let entry):
                    running[entry.name]?.finish()
                    let (stops, stop) = AsyncStream.makeStream(of: Void.self)
                    running[entry.name] = stop
                    let connection = self.begin(entry)
                    group.addTask { await self.follow(entry, connection: connection, until: stops) }
                case .remove(let name):
                    running.removeValue(forKey: name)?.finish()
                    self.watch.removed(name)
                    self.state.withLock { $0.statuses[name] = nil }
                    self.settled(name)
                    self.logger.info("cluster removed from the mesh", metadata: ["cluster": "\(name)"])
                }
            }
        }
    }

    private func followSecrets(_ next: AsyncStream<RemoteClusterBook.Step>.Continuation) async {
        await self.client.reflect(
            .secrets,
            namespace: self.namespace,
            labelSelector: "\(RemoteClusterBook.label)=true",
            onSynced: {
                self.state.withLock { $0.awaited = Set($0.book.entries.keys) }
                self.settled(nil)
            },
            onChange: { change in
                let (steps, complaints) = self.state.withLock { state in
                    let before = state.book.complaints
                    let steps = state.book.apply(change)
                    return (steps, state.book.complaints.filter { !before.contains($0) })
                }
                for complaint in complaints {
                    self.logger.warning("part of a remote secret not used", metadata: ["reason": "\(complaint)"])
                }
                for step in steps { next.yield(step) }
            }
        )
        next.finish()
    }

    private func begin(_ entry: RemoteClusterBook.Entry) -> UInt64 {
        let connection = self.state.withLock { state in
            state.connections += 1
            state.statuses[entry.name] = RemoteClusterStatus(name: entry.name, secret: "\(entry.secret)")
            return state.connections
        }
        self.watch.connected(entry.name, connection: connection)
        return connection
    }

    private func follow(
        _ entry: RemoteClusterBook.Entry,
        connection: UInt64,
        until stops: AsyncStream<Void>
    ) async {
        let client: KubernetesClient
        do {
            let configuration = try ClientConfiguration.kubeconfig(
                text: entry.kubeconfig,
                name: "Secret \(entry.secret), key \(entry.name)"
            )
            self.change(entry.name) { $0.server = configuration.server }
            client = try KubernetesClient(configuration: configuration, logger: self.logger)
        } catch {
            self.failed(entry.name, "\(error)")
            return
        }
        await withTaskGroup(of: Void.self) { group in
            for kind in RemoteCluster.kinds {
                group.addTask { await self.follow(kind, of: entry.name, client, connection: connection) }
            }
            group.addTask { await self.probe(entry.name, client) }
            group.addTask { for await _ in stops {} }
            // The last one ends when the connection is to end, all others only then.
            await group.next()
            group.cancelAll()
        }
        await client.shutdown()
    }

    private func follow(
        _ kind: MeshKind,
        of cluster: String,
        _ client: KubernetesClient,
        connection: UInt64
    ) async {
        await client.reflect(
            kind.resourceType,
            fieldSelector: kind == .namespace ? "metadata.name=\(self.namespace)" : nil,
            onSynced: {
                self.change(cluster) { $0.synced(kind) }
                if self.state.withLock({ $0.statuses[cluster]?.state == .synced }) {
                    self.settled(cluster)
                    self.logger.info("cluster joined the mesh", metadata: ["cluster": "\(cluster)"])
                }
            },
            onChange: { self.watch.apply(kind, $0, of: cluster, connection: connection) }
        )
    }

    /// A watch is quiet when nothing happens and when nobody is there: so it is asked.
    private func probe(_ cluster: String, _ client: KubernetesClient) async {
        while !Task.isCancelled {
            let fault = await self.fault(client)
            if Task.isCancelled { return }
            if let fault { self.failed(cluster, fault) } else { self.answered(cluster) }
            do { try await Task.sleep(for: Self.probeInterval) } catch { return }
        }
    }

    /// Why a server does not answer a small question within a few seconds; `nil`: it does.
    private func fault(_ client: KubernetesClient) async -> String? {
        await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    _ = try await client.get(.namespaces, name: self.namespace)
                    return nil
                } catch let error as KubernetesError where error.isNotFound {
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            group.addTask {
                try? await Task.sleep(for: Self.probeLimit)  // Cancelled: the answer is there.
                return "no answer within \(Self.probeLimit.components.seconds) s"
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }

    private func answered(_ cluster: String) {
        let before = self.state.withLock { state in
            let before = state.statuses[cluster]?.fault
            state.statuses[cluster]?.fault = nil
            return before
        }
        if before != nil { self.logger.info("cluster answers again", metadata: ["cluster": "\(cluster)"]) }
    }

    private func failed(_ cluster: String, _ fault: String) {
        let isNews = self.state.withLock { state in
            let isNews = state.statuses[cluster].map { $0.fault == nil } ?? false
            state.statuses[cluster]?.fault = fault
            return isNews
        }
        self.settled(cluster)
        guard isNews else { return }
        self.logger.warning(
            "cluster does not answer; its endpoints stay as they were last known",
            metadata: ["cluster": "\(cluster)", "error": "\(fault)"]
        )
    }

    private func change(_ cluster: String, _ body: (inout RemoteClusterStatus) -> Void) {
        self.state.withLock { state in
            guard var status = state.statuses[cluster] else { return }
            body(&status)
            state.statuses[cluster] = status
        }
    }

    /// A cluster was heard, or is not to be waited for.
    private func settled(_ cluster: String?) {
        let isComplete = self.state.withLock { state in
            if let cluster { state.awaited?.remove(cluster) }
            return state.awaited?.isEmpty ?? false
        }
        if isComplete { self.watch.remotesAreKnown() }
    }
}
