package import KubernetesAPI
package import Logging
internal import MeshModel
package import MeshPush
internal import Synchronization

import struct Foundation.Date

/// Makes WorkloadEntries for machines whose proxies connect, says in them how the machines are doing, and removes them
/// some time after the proxies have gone.
package final class WorkloadRegistrar: ProxyObserver {
    private struct State {
        var book: RegistrationBook
        var unsynced: Set<String>
        /// Who waits for the first lists.
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
        /// The control planes that are there.
        var controllers = ControlPlanes()
        /// When there is something to do although nothing happens.
        var alarm: Duration?
    }

    /// Times in the book are seconds; nobody misses less than one.
    private static let clockInterval = Duration.milliseconds(250)

    private let client: KubernetesClient
    private let namespace: String
    private let syncLimit: Duration
    private let logger: Logger
    private let state: Mutex<State>
    private let start = ContinuousClock.now
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - client: of the API server.
    ///   - controller: the name of this control plane, that of its pod.
    ///   - namespace: where the pods of control planes are.
    ///   - settings: times.
    ///   - syncLimit: how long a machine waits for the first lists.
    ///   - logger: hears of what is made and removed.
    package init(
        client: KubernetesClient,
        controller: String,
        namespace: String,
        settings: RegistrationBook.Settings = RegistrationBook.Settings(),
        syncLimit: Duration = .seconds(10),
        logger: Logger
    ) {
        self.client = client
        self.namespace = namespace
        self.syncLimit = syncLimit
        self.logger = logger
        self.state = Mutex(
            State(book: RegistrationBook(controller: controller, settings: settings), unsynced: ["groups", "entries"])
        )
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.client.reflect(.workloadGroups) {
                    self.synced("groups")
                } onChange: { change in
                    self.change { $0.groupsChanged(change) }
                }
            }
            group.addTask {
                await self.client.reflect(.workloadEntries) {
                    self.synced("entries")
                } onChange: { change in
                    self.change { $0.entriesChanged(change) }
                }
            }
            group.addTask {
                await self.client.reflect(.pods, namespace: self.namespace) { change in
                    self.state.withLock { $0.controllers.changed(change) }
                    self.signal.yield()
                }
            }
            group.addTask { await self.work() }
            group.addTask { await self.watchClock() }
            await group.waitForAll()
        }
        // Cancelled: who waits finds out by itself.
        let waiting = self.state.withLock { state in
            state.unsynced = []
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    // MARK: Proxies

    package func connected(_ connection: ProxyConnection) async throws {
        guard let name = connection.metadata["AUTO_REGISTER_GROUP"], !name.isEmpty else { return }
        let proxy = connection.proxy
        let machine = Machine(
            group: ObjectID(namespace: proxy.workload.namespace, name: name),
            address: proxy.address,
            network: connection.metadata["NETWORK"] ?? "",
            name: proxy.workload.name,
            serviceAccount: proxy.serviceAccount,
            isAuthenticated: proxy.isAuthenticated,
            connectedAt: Int64(Date().timeIntervalSince1970)
        )
        try await self.waitForSync()
        await self.look(for: machine.group)
        try self.state.withLock { try $0.book.connected(connection.id, machine) }
        self.signal.yield()
    }

    package func reported(_ id: UInt64, _ health: WorkloadHealth) { self.change { $0.reported(id, health) } }

    package func disconnected(_ id: UInt64) {
        let now = self.now
        self.change { $0.disconnected(id, now: now) }
    }

    /// - Throws: `ProxyRefusal` if the API server does not tell in time what there is, `CancellationError` if the proxy
    ///   has gone.
    private func waitForSync() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.untilSynced() }
            // Cancelled when the other one is through, or with the proxy.
            group.addTask { try? await Task.sleep(for: self.syncLimit) }
            await group.next()
            group.cancelAll()
        }
        try Task.checkCancellation()
        guard self.state.withLock({ $0.unsynced.isEmpty }) else {
            throw ProxyRefusal(
                .unavailable,
                "the control plane does not know WorkloadGroups and WorkloadEntries yet: it is still listing them, or it "
                    + "may not; its log says which"
            )
        }
    }

    /// Returns when all has been listed, or when the task is cancelled.
    private func untilSynced() async {
        let id = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state in
                    // Who is cancelled later finds the continuation.
                    if state.unsynced.isEmpty || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    /// A group that was made a moment ago may not have come here yet.
    private func look(for id: ObjectID) async {
        if self.state.withLock({ $0.book.hasGroup(id) }) { return }
        // Without an answer it is as if there were none, and the proxy comes again.
        guard let group = try? await self.client.get(.workloadGroups, namespace: id.namespace, name: id.name) else {
            return
        }
        self.change { $0.groupsChanged(.added(group)) }
    }

    // MARK: Work

    private var now: Duration { ContinuousClock.now - self.start }

    private func change(_ body: (inout RegistrationBook) -> Void) {
        self.state.withLock { body(&$0.book) }
        self.signal.yield()
    }

    private func synced(_ kind: String) {
        let waiting = self.state.withLock { state -> [UInt64: CheckedContinuation<Void, Never>] in
            state.unsynced.remove(kind)
            guard state.unsynced.isEmpty else { return [:] }
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
        self.signal.yield()
    }

    /// Does what is due whenever something has changed or a time has come.
    private func work() async {
        for await _ in self.signals {
            let due = self.state.withLock { state -> RegistrationBook.Due in
                guard state.unsynced.isEmpty else { return RegistrationBook.Due() }
                let date = Int64(Date().timeIntervalSince1970)
                let due = state.book.due(now: self.now, date: date, controllers: state.controllers.names)
                state.alarm = due.next
                return due
            }
            for yielded in due.yielded {
                self.logger.warning(
                    "machine left to the control plane that it came to later; do two machines have one name?",
                    metadata: ["entry": "\(yielded.entry)", "controller": "\(yielded.controller)"]
                )
            }
            for action in due.actions { await self.perform(action) }
        }
    }

    private func watchClock() async {
        while !Task.isCancelled {
            let isTime = self.state.withLock { $0.alarm.map { $0 <= self.now } ?? false }
            if isTime { self.signal.yield() }
            // Cancellation ends the loop above.
            try? await Task.sleep(for: Self.clockInterval)
        }
    }

    private func perform(_ action: RegistrationBook.Action) async {
        let entry = action.entry
        do {
            switch action {
            case .create(let object):
                let made = try await self.client.create(.workloadEntries, object)
                self.done(action, made)
                self.logger.info("machine registered", metadata: ["entry": "\(entry)"])
            case .replace(let object):
                let made = try await self.client.replace(.workloadEntries, object)
                self.done(action, made)
                self.logger.info("machine registered again", metadata: ["entry": "\(entry)"])
            case .setConditions(let id, let version, let conditions):
                let made = try await self.client.patch(
                    .workloadEntries,
                    namespace: id.namespace,
                    name: id.name,
                    subresource: "status",
                    .merge(["metadata": ["resourceVersion": .string(version)], "status": ["conditions": conditions]])
                )
                self.done(action, made)
                self.logger.info(
                    "health of machine changed",
                    metadata: ["entry": "\(entry)", "healthy": "\(made.isHealthy ?? false)"]
                )
            case .delete(let id, let uid, let version):
                _ = try await self.client.send(
                    .DELETE,
                    ResourceType.workloadEntries.path(namespace: id.namespace, name: id.name),
                    body: [
                        "apiVersion": "v1", "kind": "DeleteOptions",
                        "preconditions": ["uid": .string(uid), "resourceVersion": .string(version)],
                    ]
                )
                self.change {
                    $0.entriesChanged(
                        .deleted(KubernetesObject(.workloadEntries, namespace: id.namespace, name: id.name))
                    )
                }
                self.logger.info("machine gone, its entry removed", metadata: ["entry": "\(entry)"])
            }
        } catch let error as KubernetesError where error.isConflict || error.isNotFound || error.isAlreadyExists {
            // Somebody else was faster; what they wrote is on its way here.
            self.failed(action)
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning(
                "cannot write a WorkloadEntry, trying again",
                metadata: ["entry": "\(entry)", "error": "\(error)"]
            )
            self.failed(action)
        }
    }

    private func done(_ action: RegistrationBook.Action, _ stored: KubernetesObject) {
        let now = self.now
        self.change { $0.done(action, stored, now: now) }
    }

    private func failed(_ action: RegistrationBook.Action) {
        let now = self.now
        self.change { $0.failed(action, now: now) }
    }
}
