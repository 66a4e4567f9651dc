import Foundation
import Glibc
import KubernetesAPI
import Logging

/// Keeps one pod as its object says, from its network namespace to its last process.
///
/// It is driven by levels, not by edges: whatever happens only wakes it, and each round does all that can be done now.
/// So a lost or doubled wake-up does no harm.
actor PodWorker {
    /// A container together with what runs it now.
    struct Slot {
        let container: Container
        var record: ContainerRecord
        var run: ContainerRun?
        var backoff = RestartBackoff()
        var startAt: ContinuousClock.Instant?
        /// Set when a termination of ours, not the program's, ends the run.
        var killReason: String?
        var killAt: ContinuousClock.Instant?
    }

    let uid: String
    let services: NodeServices
    var logger: Logger
    var object: KubernetesObject
    var pod: Pod
    var slots: [Slot]
    let wake: AsyncStream<Void>.Continuation
    private let wakes: AsyncStream<Void>

    var address: String?
    var link: PodLink?
    var generatedFiles: [String: String] = [:]
    var volumes: PodVolumes?
    var volumePlaces: [String: String]?
    var retryAt: ContinuousClock.Instant?
    var isGone = false
    /// The platform stops; nothing is started any more.
    var isStopping = false
    var hasCleanedUp = false
    var writtenStatus: JSONValue?
    private var startTime: Int64
    /// Reasons already told by an event, so that each attempt does not tell them again.
    var lastComplaint: [String: String] = [:]

    init(object: KubernetesObject, services: NodeServices) throws {
        self.uid = object.uid
        self.services = services
        self.object = object
        let pod: Pod = try object.decode()
        self.pod = pod
        var logger = services.logger
        logger[metadataKey: "pod"] = "\(object.key)"
        self.logger = logger
        (self.wakes, self.wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.startTime = pod.status.startTime.flatMap(KubernetesTime.seconds) ?? ClockText.nowSeconds()
        let initial = pod.spec.initContainers.map { container in
            Slot(
                container: container,
                record: ContainerRecord(container, role: container.restartPolicy == "Always" ? .sidecar : .initializer)
            )
        }
        self.slots = initial + pod.spec.containers.map { Slot(container: $0, record: ContainerRecord($0, role: .main)) }
        Self.restore(&self.slots, from: pod.status)
    }

    /// Works until the pod is gone or the task is cancelled.
    func run() async {
        self.wake.yield()
        await withDiscardingTaskGroup { group in
            for await _ in self.wakes {
                let next = await self.round(&group)
                if self.hasCleanedUp || Task.isCancelled { break }
                if let next {
                    group.addTask {
                        try? await Task.sleep(until: next)
                        self.wake.yield()
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// A newer state of the object; `nil` when it is no longer there.
    func update(_ object: KubernetesObject?) {
        if let object {
            self.object = object
            if let pod: Pod = try? object.decode() { self.pod = pod }
        } else {
            self.isGone = true
        }
        self.wake.yield()
    }

    /// Something that the pod may refer to has changed.
    func poke() { self.wake.yield() }

    // MARK: One round

    private var isBeingDeleted: Bool { self.isGone || self.object.isBeingDeleted }
    private var restartPolicy: String { self.pod.spec.restartPolicy ?? "Always" }
    var hostName: String { String((self.pod.spec.hostname ?? self.pod.metadata.name).prefix(63)) }
    var folder: URL { self.services.state.pod(uid: self.uid) }

    var statusBuilder: PodStatusBuilder {
        PodStatusBuilder(
            restartPolicy: self.restartPolicy,
            startTime: self.startTime,
            address: self.address,
            initializers: self.slots.map(\.record).filter { $0.role != .main },
            containers: self.slots.map(\.record).filter { $0.role == .main },
            isBeingDeleted: self.isBeingDeleted,
            hostAddress: self.services.network.gateway
        )
    }

    /// Does what can be done now; returns when the next thing is due.
    private func round(_ group: inout DiscardingTaskGroup) async -> ContinuousClock.Instant? {
        if self.isBeingDeleted { return await self.end() }
        if self.statusBuilder.isFinished {
            await self.stopSidecars()
            await self.writeStatus()
            return self.nextDeadline()
        }
        if await self.prepare() {
            await self.startDue(&group)
        }
        await self.writeStatus()
        return self.nextDeadline()
    }

    func nextDeadline() -> ContinuousClock.Instant? {
        var deadlines = self.slots.compactMap(\.startAt) + self.slots.compactMap(\.killAt)
        if let retryAt { deadlines.append(retryAt) }
        if let renewAt = self.volumes?.renewAt {
            deadlines.append(.now + .seconds(max(1, renewAt - ClockText.nowSeconds())))
        }
        return deadlines.min()
    }

    /// Network, files and volumes; `false` if something is missing yet.
    private func prepare() async -> Bool {
        if let retryAt, retryAt > .now, self.link == nil { return false }
        self.retryAt = nil
        do {
            if self.link == nil {
                let address = try await self.services.addresses.allocate(self.uid)
                let link = PodLink.pod(
                    uid: self.uid,
                    name: self.pod.metadata.name,
                    address: address,
                    network: self.services.network
                )
                try await link.create()
                self.address = address
                self.link = link
                self.generatedFiles = try self.podFiles(address).write(to: self.folder.appendingPathComponent("etc"))
            }
            var volumes =
                self.volumes
                ?? PodVolumes(
                    pod: self.pod,
                    downward: self.downward,
                    folder: self.folder.appendingPathComponent("volumes"),
                    services: self.services
                )
            // Rounds do not overlap, so nobody else changes it meanwhile.
            defer { self.volumes = volumes }
            self.volumePlaces = try await volumes.prepare()
            return true
        } catch let error as VolumeError {
            await self.complain(
                "FailedMount",
                "MountVolume.SetUp failed for volume \"\(error.volume)\" : \(error.message)"
            )
            self.retryAt = .now + .seconds(1)
            // Containers that run already keep what they have.
            return self.volumePlaces != nil
        } catch {
            await self.complain("FailedCreatePodSandBox", "\(error)")
            self.retryAt = .now + .seconds(2)
            return false
        }
    }

    private func podFiles(_ address: String) -> PodFiles {
        var users = [self.pod.spec.securityContext?.runAsUser].compactMap { $0 }
        for slot in self.slots {
            if let user = slot.container.securityContext?.runAsUser { users.append(user) }
            if let user = self.services.catalogue.current.image(slot.container.image)?.user { users.append(user) }
        }
        return PodFiles(
            podName: self.pod.metadata.name,
            namespace: self.pod.metadata.namespace ?? "default",
            address: address,
            hostName: self.hostName,
            subdomain: self.pod.spec.subdomain,
            hostAliases: self.pod.spec.hostAliases,
            users: users,
            dnsPolicy: self.pod.spec.dnsPolicy,
            dnsConfig: self.pod.spec.dnsConfig,
            network: self.services.network
        )
    }

    var downward: DownwardAPI {
        DownwardAPI(
            pod: self.object,
            podAddress: self.address ?? "",
            hostAddress: self.services.network.gateway,
            nodeName: PlatformNetwork.nodeName
        )
    }

    /// Init containers one after the other, then all others at once.
    private func startDue(_ group: inout DiscardingTaskGroup) async {
        for index in self.slots.indices {
            let role = self.slots[index].record.role
            let earlier = self.slots[..<index].filter { $0.record.role != .main }
            if !earlier.allSatisfy(\.record.isDoneInitializing) { return }
            if self.slots[index].run != nil { continue }
            if role == .initializer, self.slots[index].record.isDoneInitializing { continue }
            if let end = self.slots[index].record.termination, !self.restarts(role, after: end) { continue }
            if let startAt = self.slots[index].startAt, startAt > .now {
                self.showBackoff(index)
                continue
            }
            await self.start(index, &group)
        }
    }

    private func restarts(_ role: ContainerRecord.Role, after end: ContainerRecord.Termination) -> Bool {
        switch role {
        case .sidecar: true
        case .initializer: end.code != 0 && self.restartPolicy != "Never"
        case .main: self.restartPolicy == "Always" || (self.restartPolicy == "OnFailure" && end.code != 0)
        }
    }

    private func showBackoff(_ index: Int) {
        guard let end = self.slots[index].record.termination, self.slots[index].backoff.failures > 1 else { return }
        let name = self.slots[index].record.name
        let message = RestartBackoff.message(
            delay: self.slots[index].backoff.delay,
            container: name,
            pod: "\(self.pod.metadata.name)_\(self.pod.metadata.namespace ?? "")(\(self.uid))"
        )
        self.slots[index].record.last = end
        self.slots[index].record.state = .waiting(reason: "CrashLoopBackOff", message: message)
    }

    private func start(_ index: Int, _ group: inout DiscardingTaskGroup) async {
        let container = self.slots[index].container
        let field = self.field(index)
        self.slots[index].startAt = nil
        if self.isStopping { return }
        guard let image = self.services.catalogue.current.image(container.image) else {
            await self.imageMissing(index)
            return
        }
        do {
            let sandbox = try self.sandbox(of: container, image: image)
            let environment = try self.environment(of: container, image: image)
            if let end = self.slots[index].record.termination { self.slots[index].record.last = end }
            if self.slots[index].record.last != nil { self.slots[index].record.restarts += 1 }
            let log = try ContainerLog(file: self.logFile(container.name, self.slots[index].record.restarts))
            self.dropOldLogs(container.name, before: self.slots[index].record.restarts - 1)
            guard let link else { return }
            if self.lastComplaint["Pulled \(field)"] == nil {
                self.lastComplaint["Pulled \(field)"] = ""
                await self.event(
                    .normal,
                    field,
                    "Pulled",
                    "Container image \"\(container.image)\" already present on machine"
                )
            }
            let run = try await ContainerRun.start(
                sandbox,
                environment: environment,
                link: link,
                log: log,
                services: self.services
            )
            self.began(index, run, &group)
            if self.isStopping { run.kill9() }
            await self.event(.normal, field, "Created", "Created container: \(container.name)")
            await self.event(.normal, field, "Started", "Started container \(container.name)")
        } catch let error as ContainerConfigError {
            self.slots[index].record.state = .waiting(reason: error.reason, message: error.message)
            await self.complain("Failed", "Error: \(error.message)", field: field)
            self.slots[index].startAt = .now + .seconds(2)
        } catch {
            self.slots[index].record.state = .waiting(reason: "RunContainerError", message: "\(error)")
            await self.complain("Failed", "Error: \(error)", field: field)
            self.slots[index].startAt = .now + self.slots[index].backoff.ended(after: .zero)
        }
    }

    private func imageMissing(_ index: Int) async {
        let image = self.slots[index].container.image
        let message = self.services.catalogue.current.missing(image)
        let isFirst = self.slots[index].backoff.failures == 0
        let delay = self.slots[index].backoff.ended(after: .zero)
        self.slots[index].startAt = .now + delay
        let reason = isFirst ? "ErrImagePull" : "ImagePullBackOff"
        self.slots[index].record.state = .waiting(
            reason: reason,
            message: isFirst ? message : "Back-off pulling image \"\(image)\": \(message)"
        )
        await self.event(.warning, self.field(index), "Failed", "Failed to pull image \"\(image)\": \(message)")
        if !isFirst { await self.event(.normal, self.field(index), "BackOff", "Back-off pulling image \"\(image)\"") }
    }

    private func began(_ index: Int, _ run: ContainerRun, _ group: inout DiscardingTaskGroup) {
        let container = self.slots[index].container
        self.slots[index].run = run
        self.slots[index].killReason = nil
        self.slots[index].killAt = nil
        self.slots[index].record.state = .running(since: ClockText.nowSeconds())
        self.slots[index].record.containerID =
            "lateen://\(PodLink.hash(self.uid))\(PodLink.hash(container.name))"
            + "\(PodLink.hash("\(run.process.pid)"))\(PodLink.hash("\(self.slots[index].record.restarts)"))"
        self.slots[index].record.hasStarted = container.startupProbe == nil
        self.slots[index].record.isReady = container.readinessProbe == nil && container.startupProbe == nil
        group.addTask { await self.watch(index, run) }
        for (kind, probe) in [
            (ProbeKind.startup, container.startupProbe), (.readiness, container.readinessProbe),
            (.liveness, container.livenessProbe),
        ] {
            guard let probe else { continue }
            group.addTask { await self.probeLoop(kind, probe, index, run) }
        }
    }

    private func watch(_ index: Int, _ run: ContainerRun) async {
        let status = await run.process.wait()
        // Output that was written just before the end is still on its way through the pipe.
        try? await Task.sleep(for: .milliseconds(20))
        run.log.finish()
        self.ended(index, run, status)
        self.wake.yield()
    }

    private func ended(_ index: Int, _ run: ContainerRun, _ status: ExitStatus) {
        guard self.slots[index].run === run else { return }
        var started: Int64?
        if case .running(let since) = self.slots[index].record.state { started = since }
        let end = ContainerRecord.Termination(status, started: started, finished: ClockText.nowSeconds())
        self.slots[index].run = nil
        self.slots[index].killAt = nil
        self.slots[index].record.state = .terminated(end)
        self.slots[index].record.isReady = false
        self.slots[index].record.hasStarted = false
        let role = self.slots[index].record.role
        guard !self.isBeingDeleted, self.restarts(role, after: end) else { return }
        let delay = self.slots[index].backoff.ended(after: .now - run.started)
        self.slots[index].startAt = .now + delay
        self.logger.debug(
            "container ended",
            metadata: ["container": "\(self.slots[index].record.name)", "code": "\(status.code)", "next": "\(delay)"]
        )
    }
}
