import AdminServer
import ArgumentParser
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import NIOPosix
import ProxyRuntime
import RequestAuthorities
import TrafficEngine

/// Runs from a bootstrap file: no cluster, no control plane, no root.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run from an Envoy bootstrap file with static_resources.",
        discussion: "Nothing is started if the file says anything that is not supported; every such place is named."
    )

    @Option(help: ArgumentHelp("Bootstrap in YAML or JSON.", valueName: "file"))
    var bootstrap: String

    @Option(help: "Worker threads.")
    var concurrency = 1

    @Option(help: "Seconds that open connections may take to end after SIGTERM.")
    var drainSeconds = 5

    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (1...256).contains(self.concurrency) else {
            throw ValidationError("--concurrency \(self.concurrency) is not between 1 and 256.")
        }
        guard (0...3600).contains(self.drainSeconds) else {
            throw ValidationError("--drain-seconds \(self.drainSeconds) is not between 0 and 3600.")
        }
    }

    func run() async throws {
        let level = self.log.level
        startLogging(level)
        let bootstrap = try BootstrapLoader.load(file: self.bootstrap)
        let resolver = SystemResolver()
        let process = ProxyProcess(
            options: ProxyRuntimeOptions(
                concurrency: self.concurrency,
                resolve: { ResolvedName(addresses: await resolver.addresses(of: $0)) }
            ),
            facts: ServerFacts(
                version: LateenProxy.version,
                node: "",
                mode: "run",
                concurrency: self.concurrency
            ),
            level: level
        )
        let received = bootstrap.received
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let admin = try await AdminServer.bind(
            bootstrap.admin.map { [AdminServer.Binding($0, .all)] } ?? [],
            sources: process.sources { try ConfigurationDump.json(received, areStatic: true) },
            group: group,
            logger: process.logger
        )
        try await process.runtime.start()
        let failures = await process.apply(bootstrap.state)
        guard failures.isEmpty else {
            await process.runtime.stop()
            throw StartError(failures.map(\.message).joined(separator: "\n"))
        }
        process.state.value = .live
        process.logger.info("ready", metadata: ["bootstrap": "\(self.bootstrap)"])
        ResidentMemory.releaseStartPages()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await admin.run() }
            tasks.addTask { await process.authorities.run() }
            let reason = await process.stop.wait()
            process.logger.info("ending", metadata: ["reason": "\(reason)"])
            process.state.value = .draining
            await process.runtime.drain(.seconds(self.drainSeconds))
            await process.runtime.stop()
            tasks.cancelAll()
        }
        // The process ends: what could fail here would be closed by the kernel.
        try? await group.shutdownGracefully()
    }
}
