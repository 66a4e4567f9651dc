import Foundation
import Glibc
import Logging
import MeshModel
import NIOCore
import NIOPosix

/// Runs the hosts outside the mesh, and starts one anew when it ends.
struct OutsideRunner: Sendable {
    let hosts: [OutsideHost]
    let state: StateFolder
    let network: PlatformNetwork
    let eventLoops: any EventLoopGroup
    let logger: Logger

    /// Runs all hosts until the task is cancelled; they end with it.
    func run() async {
        await withDiscardingTaskGroup { group in
            for host in self.hosts { group.addTask { await self.run(host) } }
        }
    }

    /// Waits until every host answers on its port; returns the names of those that do not in time.
    func waitUntilReady(_ limit: Duration) async -> [String] {
        let deadline = ContinuousClock.now + limit
        var waiting = self.hosts.filter { $0.port != nil }
        while !waiting.isEmpty, ContinuousClock.now < deadline {
            var still: [OutsideHost] = []
            for host in waiting where await !self.answers(host) { still.append(host) }
            waiting = still
            if !waiting.isEmpty { try? await Task.sleep(for: .milliseconds(100)) }
        }
        return waiting.map { "\($0.name) (see \(self.log($0).path))" }
    }

    private func log(_ host: OutsideHost) -> URL { self.state.logs.appendingPathComponent("outside-\(host.name).log") }

    private func answers(_ host: OutsideHost) async -> Bool {
        guard let port = host.port else { return true }
        let channel = try? await ClientBootstrap(group: self.eventLoops).connectTimeout(.seconds(1))
            .connect(host: host.address.description, port: port).get()
        channel?.close(promise: nil)
        return channel != nil
    }

    private func run(_ host: OutsideHost) async {
        let link = PodLink.outside(name: host.name, address: host.address.description, network: self.network)
        var backoff = RestartBackoff()
        while !Task.isCancelled {
            let started = ContinuousClock.now
            do {
                if access(link.namespaceFile, F_OK) != 0 { try await link.create() }
                let process = try self.start(host, link)
                let status = await withTaskCancellationHandler {
                    await process.wait()
                } onCancel: {
                    Self.end(process)
                }
                if Task.isCancelled { break }
                self.logger.warning("outside host ended", metadata: ["host": "\(host.name)", "code": "\(status.code)"])
            } catch {
                self.logger.error(
                    "outside host does not start",
                    metadata: ["host": "\(host.name)", "error": "\(error)"]
                )
            }
            try? await Task.sleep(for: min(backoff.ended(after: .now - started), .seconds(10)))
        }
        await link.remove()
    }

    /// Asks the host's program to end, and makes it if it has not after some seconds.
    private static func end(_ process: ChildProcess) {
        let inner = ContainerRun.children(of: process.pid).flatMap { ContainerRun.children(of: $0) }
        for pid in inner { kill(pid, SIGTERM) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(8)) { process.signal(SIGKILL) }
        if inner.isEmpty { process.signal(SIGKILL) }
    }

    /// A sandbox of the whole machine, so that nothing of the host survives its end or the platform's.
    private func start(_ host: OutsideHost, _ link: PodLink) throws -> ChildProcess {
        let data = self.state.outside.appendingPathComponent(host.name)
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        let output = open(self.log(host).path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard output >= 0 else { throw SpawnError(program: host.name, step: "open the log", errorNumber: errno) }
        defer { close(output) }
        let network = try link.open()
        defer { close(network) }
        var request = SpawnRequest(
            [
                "bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", host.name,
                "--die-with-parent", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--chdir", host.folder,
                "--",
            ] + host.command
        )
        request.environment = ["PATH": Tool.searchPath, "HOME": data.path, "LATEEN_DATA": data.path]
            .merging(host.environment) { $1 }
        request.environment["LATEEN_ADDRESS"] = host.address.description
        request.network = network
        request.output = output
        request.errors = output
        return try ChildProcess.spawn(request)
    }
}
