import Foundation
import KubernetesAPI
package import LocalAPIServer
import Logging
package import NIOCore
import Synchronization

/// The node: gives every pod a worker, keeps the Node object current and serves logs and exec.
package final class NodeAgent: Sendable {
    private let services: NodeServices
    private let workers = Mutex<[String: PodWorker]>([:])
    private let syncedOnce = Mutex(false)

    /// Whether the pods of an earlier daemon are taken over: their status no longer says what was true then.
    var hasTakenOver: Bool { self.syncedOnce.withLock { $0 } }

    init(services: NodeServices) { self.services = services }

    /// Runs all pods until the task is cancelled; then ends all of their processes.
    package func run() async {
        // All three: whichever is listed last lets the first round begin.
        let pods = self.services.mirror.changes(of: [.pods, .configMaps, .secrets])
        let sources = self.services.mirror.changes(of: [.configMaps, .secrets])
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepNode() }
            group.addTask {
                for await _ in sources {
                    for worker in self.workers.withLock({ Array($0.values) }) { await worker.poke() }
                }
            }
            for await _ in pods where self.services.mirror.isSynced([.pods, .configMaps, .secrets]) {
                await self.sync(&group)
            }
            // The workers wait for their processes, so these end first.
            for worker in self.workers.withLock({ Array($0.values) }) { await worker.killAll() }
            group.cancelAll()
        }
    }

    /// Reads catalogue files again: pods that waited for an image try at once.
    package func replaceCatalogue(_ catalogue: ImageCatalogue) async {
        self.services.catalogue.replace(catalogue)
        for worker in self.workers.withLock({ Array($0.values) }) { await worker.retryImages() }
    }

    private func sync(_ group: inout DiscardingTaskGroup) async {
        let pods = self.services.mirror.objects(.pods)
        let byUID = Dictionary(pods.map { ($0.uid, $0) }, uniquingKeysWith: { $1 })
        let known = self.workers.withLock { $0 }
        if known.isEmpty { await self.services.addresses.keep(only: Set(byUID.keys)) }
        for (uid, worker) in known { await worker.update(byUID[uid]) }
        for (uid, pod) in byUID where known[uid] == nil {
            guard await self.isScheduled(pod) else { continue }
            do {
                let worker = try PodWorker(object: pod, services: self.services)
                if !self.hasTakenOver { await worker.writeStatus() }
                self.workers.withLock { $0[uid] = worker }
                group.addTask {
                    await worker.run()
                    if !Task.isCancelled { self.workers.withLock { $0[uid] = nil } }
                }
            } catch {
                self.services.logger.warning(
                    "pod cannot be understood",
                    metadata: ["pod": "\(pod.key)", "error": "\(error)"]
                )
            }
        }
        self.syncedOnce.withLock { $0 = true }
    }

    /// Binds a pod to this node, the only one.
    private func isScheduled(_ pod: KubernetesObject) async -> Bool {
        if let node = pod.spec["nodeName"]?.string, !node.isEmpty { return node == PlatformNetwork.nodeName }
        if pod.isBeingDeleted { return false }
        do {
            let bound = try await self.services.client.patch(
                .pods,
                namespace: pod.namespace,
                name: pod.name,
                .merge(["spec": ["nodeName": .string(PlatformNetwork.nodeName)]])
            )
            self.services.mirror.wrote(bound, of: .pods)
            await self.services.events.record(
                .normal,
                about: pod,
                reason: "Scheduled",
                message: "Successfully assigned \(pod.key) to \(PlatformNetwork.nodeName)"
            )
            return true
        } catch {
            self.services.logger.debug("pod not bound", metadata: ["pod": "\(pod.key)", "error": "\(error)"])
            return false
        }
    }

    // MARK: Node

    private func keepNode() async {
        while !Task.isCancelled {
            do {
                try await self.writeNode()
                try await Task.sleep(for: .seconds(60))
            } catch is CancellationError {
                return
            } catch {
                self.services.logger.warning("cannot write the node", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(2))
            }
        }
    }

    private func writeNode() async throws {
        let client = self.services.client
        let name = PlatformNetwork.nodeName
        var node = KubernetesObject(.nodes, name: name)
        node.labels = [
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": "",
            "topology.kubernetes.io/region": self.services.network.region,
            "topology.kubernetes.io/zone": self.services.network.zone,
        ]
        do { _ = try await client.create(.nodes, node) } catch let error as KubernetesError where error.isAlreadyExists
        {
            // What somebody has changed stays.
            let present = try await client.get(.nodes, name: name).labels
            let missing = node.labels.filter { present[$0.key] == nil }
            if !missing.isEmpty {
                _ = try await client.patch(
                    .nodes,
                    name: name,
                    .merge(["metadata": ["labels": JSONValue(missing)]])
                )
            }
        }
        let now = JSONValue.string(ClockText.now())
        let previous = (try await client.get(.nodes, name: name)).status["conditions"]?.array ?? []
        let since = previous.first { $0["type"]?.string == "Ready" }?["lastTransitionTime"] ?? now
        let amounts: JSONValue = [
            "cpu": .string(String(ProcessInfo.processInfo.activeProcessorCount)),
            "memory": .string("\(ProcessInfo.processInfo.physicalMemory / 1024)Ki"), "pods": "250",
        ]
        let kernel = ProcFile.read("/proc/sys/kernel/osrelease") ?? ""
        let status: JSONValue = [
            "addresses": [
                ["type": "InternalIP", "address": .string(self.services.network.gateway)],
                ["type": "Hostname", "address": .string(name)],
            ],
            "capacity": amounts, "allocatable": amounts,
            "conditions": [
                [
                    "type": "Ready", "status": "True", "reason": "KubeletReady",
                    "message": "lateen is posting ready status",
                    "lastHeartbeatTime": now, "lastTransitionTime": since,
                ]
            ],
            "nodeInfo": [
                "kubeletVersion": "v1.31.0-lateen", "operatingSystem": "linux", "architecture": "amd64",
                "containerRuntimeVersion": "bubblewrap://0", "osImage": "this machine",
                "kernelVersion": .string(kernel.trimmingCharacters(in: .whitespacesAndNewlines)), "machineID": "",
                "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            ],
        ]
        _ = try await client.patch(.nodes, name: name, subresource: "status", .merge(["status": status]))
    }

    private func worker(_ namespace: String, _ name: String) throws -> PodWorker {
        guard let pod = self.services.mirror.object(.pods, namespace: namespace, name: name) else {
            throw PodBackendError(.notFound, "pods \"\(name)\" not found")
        }
        guard let worker = self.workers.withLock({ $0[pod.uid] }) else {
            throw PodBackendError(.badRequest, "pod \(name) does not have a host assigned")
        }
        return worker
    }
}

extension NodeAgent: PodBackend {
    package func logs(_ request: PodLogRequest) async throws -> AsyncThrowingStream<ByteBuffer, any Error> {
        let worker = try self.worker(request.namespace, request.pod)
        guard let record = await worker.record(request.container) else {
            throw PodBackendError(
                .badRequest,
                "container \(request.container) is not valid for pod \(request.pod)"
            )
        }
        let reader = LogReader(
            timestamps: request.timestamps,
            since: request.sinceSeconds.map { ClockText.nowSeconds() - Int64($0) }
        )
        if !request.previous, request.follow, let run = try await worker.currentRun(request.container) {
            return reader.stream(run.log, request: request)
        }
        // While a container waits for its next start, its restart count is still that of the run that ended.
        let number = request.previous ? record.restarts - 1 : record.restarts
        let file = await worker.logFile(request.container, number)
        guard number >= 0, FileManager.default.fileExists(atPath: file.path) else {
            if request.previous {
                throw PodBackendError(
                    .badRequest,
                    "previous terminated container \"\(request.container)\" in pod \"\(request.pod)\" not found"
                )
            }
            throw PodBackendError(.badRequest, Self.whyNoLog(record, request))
        }
        var text = reader.tail(file, lines: request.tailLines)
        if let bytesMax = request.bytesMax { text = String(decoding: text.utf8.prefix(bytesMax), as: UTF8.self) }
        let buffer = ByteBuffer(string: text)
        return AsyncThrowingStream { continuation in
            if buffer.readableBytes > 0 { continuation.yield(buffer) }
            continuation.finish()
        }
    }

    private static func whyNoLog(_ record: ContainerRecord, _ request: PodLogRequest) -> String {
        guard case .waiting(let reason, let message) = record.state else { return "no log is kept of this container" }
        let start = "container \"\(request.container)\" in pod \"\(request.pod)\" is waiting to start"
        return message.map { "\(start): \(reason): \($0)" } ?? "\(start): \(reason)"
    }

    package func exec(_ request: PodExecRequest) async throws -> any PodExecSession {
        guard !request.isAttach else {
            throw PodBackendError(.badRequest, "attach is not supported: use `kubectl exec` or `kubectl logs -f`")
        }
        let worker = try self.worker(request.namespace, request.pod)
        guard await worker.record(request.container) != nil else {
            throw PodBackendError(.badRequest, "container \(request.container) is not valid for pod \(request.pod)")
        }
        guard let run = try await worker.currentRun(request.container) else {
            throw PodBackendError(.badRequest, "container \(request.container) of pod \(request.pod) is not running")
        }
        return try await ContainerExec.session(request, in: run, eventLoops: self.services.eventLoops)
    }
}

extension PodWorker {
    /// Ends all processes at once; their restart is left to the next start of the platform.
    func killAll() {
        self.isStopping = true
        for slot in self.slots { slot.run?.kill9() }
    }

    /// Containers that wait for an image try again now.
    func retryImages() {
        for index in self.slots.indices {
            guard case .waiting(let reason, _) = self.slots[index].record.state,
                ["ErrImagePull", "ImagePullBackOff"].contains(reason)
            else { continue }
            self.slots[index].startAt = nil
            self.slots[index].backoff = RestartBackoff()
        }
        self.wakeUp()
    }
}
