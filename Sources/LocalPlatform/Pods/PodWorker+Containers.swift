import Foundation
import KubernetesAPI

extension PodWorker {
    /// What the container's processes see and may do.
    func sandbox(of container: Container, image: CatalogueImage) throws -> Sandbox {
        var mounts = try image.mounts.map { mount in
            guard FileManager.default.fileExists(atPath: mount.source) else {
                throw ContainerConfigError(
                    reason: "CreateContainerError",
                    message: "image \(image.name) needs \(mount.source), which is not there; see \(image.origin)"
                )
            }
            return Sandbox.Mount(source: mount.source, target: mount.target, isReadOnly: true)
        }
        if let roots = self.services.trustedRoots {
            mounts.append(Sandbox.Mount(source: roots, target: OutsideTrust.machineBundle, isReadOnly: true))
        }
        for mount in container.volumeMounts {
            guard var source = self.volumePlaces?[mount.name] else {
                throw ContainerConfigError(message: "volume \"\(mount.name)\" is not defined in the pod")
            }
            if let path = mount.subPath, !path.isEmpty, !path.split(separator: "/").contains("..") {
                source += "/" + path
                if !FileManager.default.fileExists(atPath: source) {
                    try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
                }
            }
            let volume = self.pod.spec.volumes.first { $0.name == mount.name }
            let isWritable = volume?.emptyDir != nil || volume?.hostPath != nil
            mounts.append(
                Sandbox.Mount(source: source, target: mount.mountPath, isReadOnly: mount.readOnly || !isWritable)
            )
        }
        let security = container.securityContext
        let user = security?.runAsUser ?? self.pod.spec.securityContext?.runAsUser ?? image.user ?? 0
        if user == 0, security?.runAsNonRoot ?? self.pod.spec.securityContext?.runAsNonRoot ?? false {
            throw ContainerConfigError(
                message: "container has runAsNonRoot and image will run as root (container: \(container.name))"
            )
        }
        let environment = try self.environment(of: container, image: image)
        let command = self.command(of: container, image: image).map { Expansion.expand($0, environment) }
        guard !command.isEmpty else {
            throw ContainerConfigError(
                reason: "CreateContainerError",
                message: "no command specified: neither the container nor image \(image.name) has one"
            )
        }
        return Sandbox(
            hostName: self.hostName,
            generatedFiles: self.generatedFiles,
            mounts: mounts,
            user: user,
            group: security?.runAsGroup ?? self.pod.spec.securityContext?.runAsGroup ?? image.group
                ?? (security?.runAsUser == nil && image.user == nil ? 0 : user),
            volumeGroup: self.pod.spec.securityContext?.fsGroup,
            capabilities: Self.capabilities(security),
            folder: container.workingDir ?? image.folder ?? "/",
            command: command
        )
    }

    /// The defaults, without what is dropped, with what is added; unknown names are ignored, as there is nothing that
    /// could be given.
    static func capabilities(_ security: SecurityContext?) -> Set<Capability> {
        if security?.privileged == true { return Set(Capability.allCases) }
        var set = Capability.ofContainers
        let dropped = security?.capabilities?.drop ?? []
        if dropped.contains("ALL") { set = [] }
        set.subtract(dropped.compactMap { Capability(kubernetesName: $0) })
        return set.union((security?.capabilities?.add ?? []).compactMap { Capability(kubernetesName: $0) })
    }

    /// A container's `command` replaces the image's entry point and its arguments; `args` replaces the arguments.
    func command(of container: Container, image: CatalogueImage) -> [String] {
        if !container.command.isEmpty { return container.command + container.args }
        return image.command + (container.args.isEmpty ? image.arguments : container.args)
    }

    func environment(of container: Container, image: CatalogueImage) throws -> [String: String] {
        let namespace = self.pod.metadata.namespace ?? "default"
        let mirror = self.services.mirror
        let environment = ContainerEnvironment(
            downward: self.downward,
            configMap: { mirror.object(.configMaps, namespace: namespace, name: $0) },
            secret: { mirror.object(.secrets, namespace: namespace, name: $0) }
        )
        return try environment.variables(
            of: container,
            image: image,
            standard: [
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/lateen/bin",
                "HOME": "/root", "HOSTNAME": self.hostName,
                "KUBERNETES_SERVICE_HOST": self.services.network.kubernetesService, "KUBERNETES_SERVICE_PORT": "443",
                "KUBERNETES_SERVICE_PORT_HTTPS": "443",
                "KUBERNETES_PORT": "tcp://\(self.services.network.kubernetesService):443",
            ]
        )
    }

    // MARK: Logs

    static func logFolder(_ state: StateFolder, namespace: String, name: String, uid: String) -> URL {
        state.podLogs.appendingPathComponent("\(namespace)_\(name)_\(uid)")
    }

    var logFolder: URL {
        Self.logFolder(
            self.services.state,
            namespace: self.pod.metadata.namespace ?? "default",
            name: self.pod.metadata.name,
            uid: self.uid
        )
    }

    func logFile(_ container: String, _ restart: Int) -> URL {
        self.logFolder.appendingPathComponent(container).appendingPathComponent("\(restart).log")
    }

    /// The present run and the one before are kept.
    func dropOldLogs(_ container: String, before restart: Int) {
        let folder = self.logFolder.appendingPathComponent(container)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
            if let number = name.split(separator: ".").first.flatMap({ Int($0) }), number < restart {
                try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
            }
        }
    }

    // MARK: Probes

    enum ProbeKind: String { case startup = "Startup", readiness = "Readiness", liveness = "Liveness" }

    /// Asks again and again, as long as this run of the container lasts.
    func probeLoop(_ kind: ProbeKind, _ probe: Probe, _ index: Int, _ run: ContainerRun) async {
        var state = ProbeState(probe)
        let ports = self.slots[index].container.ports.reduce(into: [String: Int]()) { ports, port in
            if let name = port.name { ports[name] = port.containerPort }
        }
        let timeout = Duration.seconds(max(1, probe.timeoutSeconds ?? 1))
        let prober = Prober(
            probe: probe,
            address: self.address ?? "",
            ports: ports,
            eventLoops: self.services.eventLoops,
            execute: { try await ContainerExec.run($0, in: run, limit: timeout) }
        )
        try? await Task.sleep(for: .seconds(probe.initialDelaySeconds ?? 0))
        // Readiness is first looked for more often than the period says, so that a pod is ready when it can be.
        let period = Duration.seconds(max(1, probe.periodSeconds ?? 10))
        var hasBeenReady = false
        while !Task.isCancelled, self.slots[index].run === run, run.process.status == nil {
            if kind != .startup, !self.slots[index].record.hasStarted {
                try? await Task.sleep(for: .milliseconds(200))
                continue
            }
            let fault = await prober.ask()
            if self.slots[index].run !== run { return }
            let verdict = state.answered(isGood: fault == nil)
            if verdict == .becameGood { hasBeenReady = true }
            if let fault, kind != .readiness || hasBeenReady || self.isComplaintDue(run) {
                await self.event(.warning, self.field(index), "Unhealthy", "\(kind.rawValue) probe failed: \(fault)")
            }
            if await self.act(on: verdict, kind, index, run) { return }
            let isHasty = kind == .readiness && !hasBeenReady && .now - run.started < .seconds(30)
            try? await Task.sleep(for: isHasty ? min(period, .milliseconds(100)) : period)
        }
    }

    /// Failures of the first seconds, while a program starts, need no event.
    private func isComplaintDue(_ run: ContainerRun) -> Bool { .now - run.started > .seconds(5) }

    /// Returns whether the probe has done its work.
    private func act(
        on verdict: ProbeState.OnAnswer,
        _ kind: ProbeKind,
        _ index: Int,
        _ run: ContainerRun
    ) async -> Bool {
        switch (kind, verdict) {
        case (_, .nothing): return false
        case (.readiness, .becameGood): self.slots[index].record.isReady = true
        case (.readiness, .becameBad): self.slots[index].record.isReady = false
        case (.startup, .becameGood):
            self.slots[index].record.hasStarted = true
            if self.slots[index].container.readinessProbe == nil { self.slots[index].record.isReady = true }
            self.wakeUp()
            return true
        case (.liveness, .becameGood): return false
        case (.startup, .becameBad), (.liveness, .becameBad):
            let name = self.slots[index].record.name
            await self.event(
                .normal,
                self.field(index),
                "Killing",
                "Container \(name) failed \(kind.rawValue.lowercased()) probe, will be restarted"
            )
            await self.restart(index, run)
            return true
        }
        self.wakeUp()
        return false
    }

    // MARK: For the API server

    /// The present run of a container, or `nil`; throws if the pod has no such container.
    func currentRun(_ container: String) throws -> ContainerRun? {
        guard let slot = self.slots.first(where: { $0.record.name == container }) else {
            throw PlatformError("container \(container) is not valid for pod \(self.pod.metadata.name)")
        }
        return slot.run
    }

    func record(_ container: String) -> ContainerRecord? {
        self.slots.first { $0.record.name == container }?.record
    }
}
