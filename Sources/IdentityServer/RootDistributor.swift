package import KubernetesAPI
package import Logging
import Synchronization

/// Keeps the ConfigMap `istio-ca-root-cert` with the roots to trust in every namespace: new ones get it at once, what
/// somebody changed or deleted is put right.
package final class RootDistributor: Sendable {
    private let client: KubernetesClient
    private let current: CurrentAuthority
    private let logger: Logger
    private let state = Mutex(RootDistribution())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// Writes at a time; a mesh may have thousands of namespaces.
    private static let writesMax = 8

    package init(client: KubernetesClient, current: CurrentAuthority, logger: Logger) {
        self.client = client
        self.current = current
        self.logger = logger
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether every namespace has this bundle.
    package func isDistributed(_ bundle: String) -> Bool { self.state.withLock { $0.isDistributed(bundle) } }

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followNamespaces() }
            group.addTask { await self.followConfigMaps() }
            group.addTask {
                for await _ in self.current.changes() {
                    guard let present = self.current.present else { continue }
                    self.change { $0.bundle = present.bundle }
                }
            }
            group.addTask { await self.work() }
            await group.waitForAll()
        }
    }

    private func followNamespaces() async {
        await self.client.reflect(.namespaces) { change in
            self.change { state in
                switch change {
                case .replacedAll(let all): state.namespacesListed(all.map { ($0.name, $0.isBeingDeleted) })
                case .added(let object), .modified(let object):
                    state.namespaceSeen(object.name, isEnding: object.isBeingDeleted)
                case .deleted(let object): state.namespaceGone(object.name)
                }
            }
        }
    }

    private func followConfigMaps() async {
        await self.client.reflect(.configMaps, fieldSelector: "metadata.name=\(RootDistribution.name)") { change in
            self.change { state in
                switch change {
                case .replacedAll(let all):
                    state.configMapsListed(all.map { ($0.namespace ?? "", Self.bundle(of: $0)) })
                case .added(let object), .modified(let object):
                    state.configMapSeen(in: object.namespace ?? "", bundle: Self.bundle(of: object))
                case .deleted(let object): state.configMapGone(in: object.namespace ?? "")
                }
            }
        }
    }

    private static func bundle(of object: KubernetesObject) -> String? {
        object.json[path: "data", RootDistribution.key]?.string
    }

    private func change(_ body: (inout RootDistribution) -> Void) {
        self.state.withLock { body(&$0) }
        self.signal.yield()
    }

    private func work() async {
        var backOff = BackOff(base: .milliseconds(100), max: .seconds(10), seed: UInt64.random(in: .min ... .max))
        for await _ in self.signals {
            let (steps, bundle) = self.state.withLock { ($0.steps, $0.bundle ?? "") }
            if steps.isEmpty { continue }
            let failures = await self.write(steps, bundle)
            if failures == 0 {
                backOff.reset()
                continue
            }
            do { try await Task.sleep(for: backOff.next()) } catch { return }
            self.signal.yield()
        }
    }

    /// - Returns: how many writes failed.
    private func write(_ steps: [RootDistribution.Step], _ bundle: String) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            var failures = 0
            var running = 0
            for step in steps {
                if running == Self.writesMax {
                    if await group.next() == false { failures += 1 }
                    running -= 1
                }
                group.addTask { await self.write(step, bundle) }
                running += 1
            }
            for await isWritten in group where !isWritten { failures += 1 }
            return failures
        }
    }

    private func write(_ step: RootDistribution.Step, _ bundle: String) async -> Bool {
        let data: JSONValue = [RootDistribution.key: .string(bundle)]
        let namespace: String
        do {
            switch step {
            case .create(let name):
                namespace = name
                var object = KubernetesObject(.configMaps, namespace: name, name: RootDistribution.name)
                object.labels = ["istio.io/config": "true"]
                object.json["data"] = data
                _ = try await self.client.create(.configMaps, object)
            case .repair(let name):
                namespace = name
                _ = try await self.client.patch(
                    .configMaps,
                    namespace: name,
                    name: RootDistribution.name,
                    .merge(["data": data])
                )
            }
        } catch let error as KubernetesError where error.isAlreadyExists || error.isNotFound {
            // Somebody was faster, or the namespace is going; the watch tells which.
            return true
        } catch {
            if Task.isCancelled { return true }
            self.logger.warning("cannot write the roots", metadata: ["step": "\(step)", "error": "\(error)"])
            return false
        }
        // The watch says so a moment later; not to write twice until then, it is noted now.
        self.state.withLock { $0.configMapSeen(in: namespace, bundle: bundle) }
        self.logger.debug("roots written", metadata: ["namespace": "\(namespace)"])
        return true
    }
}
