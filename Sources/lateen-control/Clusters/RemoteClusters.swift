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
        var roll = RemoteClusterRoll()
    }

    private let client: KubernetesClient
    private let watch: MeshWatch
    private let namespace: String
    private let logger: Logger
    private let state: Mutex<State>

    /// How often it is looked whether a server answers.
    private static let probeInterval: Duration = .seconds(3)
    private static let probeLimit: Duration = .seconds(3)
    /// How long the first snapshot waits, also for servers that do not answer: proxies that come meanwhile keep what
    /// they have, and would lose the other cluster's endpoints with the first snapshot. As long as Istio waits.
    private static let patience: Duration = .seconds(30)

    init(client: KubernetesClient, watch: MeshWatch, cluster: String, namespace: String, logger: Logger) {
        self.client = client
        self.watch = watch
        self.namespace = namespace
        self.logger = logger
        self.state = Mutex(State(book: RemoteClusterBook(ownName: cluster)))
    }

    /// By name.
    var statuses: [RemoteClusterStatus] {
        self.state.withLock { $0.roll.statuses }
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
                    self.state.withLock { $0.roll.removed(name) }
                    self.settle()
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
                self.state.withLock { $0.roll.known($0.book.entries.keys) }
                self.settle()
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
        let connection = self.state.withLock { $0.roll.begun(entry.name, secret: "\(entry.secret)") }
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
            self.state.withLock {
                $0.roll.found(server: configuration.server, of: entry.name, connection: connection)
            }
            client = try KubernetesClient(configuration: configuration, logger: self.logger)
        } catch {
            let isNews = self.state.withLock { $0.roll.gaveUp(entry.name, "\(error)", connection: connection) }
            if isNews { self.tell(entry.name, "\(error)") }
            self.settle()
            return
        }
        await withTaskGroup(of: Void.self) { group in
            for kind in RemoteCluster.kinds {
                group.addTask { await self.follow(kind, of: entry.name, client, connection: connection) }
            }
            group.addTask { await self.probe(entry.name, client, connection: connection) }
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
                self.watch.listed(kind, of: cluster, connection: connection)
                if self.state.withLock({ $0.roll.synced(kind, of: cluster, connection: connection) }) {
                    self.settle()
                    self.logger.info("cluster joined the mesh", metadata: ["cluster": "\(cluster)"])
                }
            },
            onChange: { self.watch.apply(kind, $0, of: cluster, connection: connection) }
        )
    }

    /// A watch is quiet when nothing happens and when nobody is there: so it is asked.
    private func probe(_ cluster: String, _ client: KubernetesClient, connection: UInt64) async {
        while !Task.isCancelled {
            let fault = await self.fault(client)
            if Task.isCancelled { return }
            if let fault {
                if self.state.withLock({ $0.roll.failed(cluster, fault, connection: connection) }) {
                    self.tell(cluster, fault)
                }
            } else if self.state.withLock({ $0.roll.answered(cluster, connection: connection) }) {
                self.logger.info("cluster answers again", metadata: ["cluster": "\(cluster)"])
            }
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

    private func tell(_ cluster: String, _ fault: String) {
        self.logger.warning(
            "cluster does not answer; its endpoints stay as they were last known",
            metadata: ["cluster": "\(cluster)", "error": "\(fault)"]
        )
    }

    /// The first snapshot may come if nobody is waited for any more.
    private func settle() {
        if self.state.withLock({ $0.roll.isSettled }) { self.watch.remotesAreKnown() }
    }
}
