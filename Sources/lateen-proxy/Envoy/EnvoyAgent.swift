import AdminServer
import Foundation
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import NIOPosix
import ProxyRuntime
import TrafficEngine
import WorkloadIdentity

/// The same agent with stock Envoy as its data plane: identity, DNS and readiness are here, traffic is there.
struct EnvoyAgent: Sendable {
    private static let identityWait = Duration.seconds(10)

    private let options: MeshProxy.Options
    private let level: LogLevel
    private let folder: String
    private let dns: WorkloadDNS
    private let identity: ProxyIdentity?
    private let join: StateJoin
    private let relay: EnvoyRelay
    private let envoy: EnvoyProcess
    private let state = Shared(ServerState.preInitializing)
    private let stop = StopSignal()
    private let logger = Logger(label: "agent")
    private let group: MultiThreadedEventLoopGroup

    init(options: MeshProxy.Options, binary: String, level: LogLevel) throws {
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        self.options = options
        self.level = level
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.folder = try Self.folder(options)
        let dns = try WorkloadDNS(
            workload: options.workload,
            resolvConf: options.resolvConf,
            settings: options.dns,
            eventLoop: self.group.next(),
            logger: Logger(label: "dns")
        )
        self.dns = dns
        let join = StateJoin()
        self.join = join
        let (host, port) = (options.controlPlane.host, Int(options.controlPlane.port.number))
        self.identity = options.identity.map { ProxyIdentity($0, host: host, port: port, join: join) }
        self.relay = EnvoyRelay(
            node: options.workload.node,
            access: self.identity?.access ?? ControlPlaneAccess(host: host, port: port),
            socket: self.folder + "/xds",
            store: options.stateDirectory.map {
                LastGoodStore(directory: $0, node: options.workload.node.id)
            },
            storeLimit: options.stateWait,
            names: { await dns.update($0) },
            logger: Logger(label: "relay")
        )
        self.envoy = EnvoyProcess(
            binary: binary,
            configuration: self.folder + "/envoy.json",
            concurrency: options.concurrency,
            drainSeconds: Int(options.drainLimit.components.seconds),
            level: Self.envoyLevel(level.current.rawValue),
            logger: self.logger
        )
    }

    /// Runs until SIGTERM or SIGINT, or until Envoy ends.
    ///
    /// - Throws: that Envoy ended by itself.
    func run() async throws {
        let bootstrap = EnvoyBootstrap(
            node: self.options.workload.node,
            socket: self.folder + "/xds",
            statusAddress: self.options.statusAddress
        )
        try Data(bootstrap.json().utf8).write(to: URL(fileURLWithPath: self.folder + "/envoy.json"), options: .atomic)
        unlink(self.folder + "/xds")
        let admin = try await self.bindHealth()
        if self.options.answersDNS { try await self.dns.start() }
        self.logger.info("started", metadata: ["node": "\(self.options.workload.node.id)", "engine": "envoy"])
        let failure = await withTaskGroup(of: Void.self) { tasks -> StartError? in
            tasks.addTask { await admin.run() }
            tasks.addTask { await self.dns.run() }
            tasks.addTask { await self.serveEnvoy() }
            self.keepIdentity(&tasks)
            if self.identity != nil { await self.join.waitForIdentity(Self.identityWait) }
            do { try self.envoy.start() } catch {
                tasks.cancelAll()
                return StartError("envoy cannot be started: \(error)")
            }
            tasks.addTask { await self.followReadiness() }
            tasks.addTask {
                let status = await self.envoy.wait()
                self.stop.send("envoy ended with status \(status)")
            }
            let reason = await self.stop.wait()
            self.logger.info("draining", metadata: ["reason": "\(reason)"])
            self.state.value = .draining
            let endedByItself = reason.hasPrefix("envoy ended")
            if !endedByItself { await self.drain() }
            await self.envoy.stop()
            await self.dns.stop()
            tasks.cancelAll()
            return endedByItself ? StartError(reason) : nil
        }
        // The process ends: what could fail here would be closed by the kernel.
        try? await self.group.shutdownGracefully()
        // Nobody listens there any more; a folder that stays is used again.
        for name in ["/xds", "/envoy.json"] { unlink(self.folder + name) }
        rmdir(self.folder)
        if let failure { throw failure }
    }

    private func keepIdentity(_ tasks: inout TaskGroup<Void>) {
        guard let keeper = self.identity?.keeper else { return }
        tasks.addTask { await keeper.run() }
        tasks.addTask {
            for await certificate in keeper.updates {
                self.join.identified(certificate)
                self.relay.update(self.join.ownSecrets)
            }
        }
    }

    private func serveEnvoy() async {
        do { try await self.relay.run() } catch {
            if !Task.isCancelled { self.stop.send("the socket for envoy cannot be served: \(error)") }
        }
    }

    /// New connections go elsewhere, those that are open may end.
    private func drain() async {
        // An Envoy that does not answer any more has nothing to drain.
        _ = try? await LocalAdmin(port: Int(MeshPorts.admin)).ask("POST", "/drain_listeners?graceful")
        // Cancelled: end at once.
        try? await Task.sleep(for: self.options.drainLimit)
        // Signals may be blocked in a child of a thread that blocks them; a request is not. What does not answer is killed.
        _ = try? await LocalAdmin(port: Int(MeshPorts.admin)).ask("POST", "/quitquitquit")
    }

    /// Envoy knows when it is ready; a workload without identity is not.
    private func followReadiness() async {
        while !Task.isCancelled {
            // Before it listens it is not ready, and after it has ended it is not asked.
            let answer = try? await LocalAdmin(port: Int(MeshPorts.admin)).ask("GET", "/ready")
            let isReady = answer?.status == 200 && (self.identity == nil || self.join.identity != nil)
            switch self.state.value {
            case .preInitializing where isReady:
                self.state.value = .live
                self.logger.info("ready")
            case .live where !isReady: self.state.value = .preInitializing
            case .preInitializing, .live: ()
            case .draining: return
            }
            do { try await Task.sleep(for: .milliseconds(500)) } catch { return }
        }
    }

    private func bindHealth() async throws -> AdminServer {
        try await AdminServer.bind(
            [AdminServer.Binding(NetworkAddress(ip: self.options.statusAddress, port: MeshPorts.ready), .health)],
            sources: AdminSources(
                facts: ServerFacts(
                    version: LateenProxy.version,
                    node: self.options.workload.node.id,
                    mode: "\(self.options.workload.role.rawValue), envoy",
                    concurrency: self.options.concurrency
                ),
                state: { self.state.value },
                statistics: { ProxyStatistics() },
                listeners: { [] },
                configDump: { "{}" },
                logLevel: { self.level.current.rawValue },
                setLogLevel: { self.level.set($0) },
                quit: { self.stop.send("/quitquitquit") }
            ),
            group: self.group,
            logger: self.logger
        )
    }

    /// Where the socket and the bootstrap go: the first folder of the pod that can be written, for the owner alone.
    private static func folder(_ options: MeshProxy.Options) throws -> String {
        let candidates = [options.stateDirectory, options.identity?.directory.path, "/tmp"].compactMap { $0 }
        for candidate in candidates {
            let folder = candidate + "/envoy-\(getpid())"
            if mkdir(folder, 0o700) == 0 || errno == EEXIST, access(folder, W_OK) == 0 { return folder }
        }
        throw StartError("no folder for envoy's socket can be written: \(candidates.joined(separator: ", "))")
    }

    private static func envoyLevel(_ level: String) -> String {
        ["notice": "info", "info": "warning"][level] ?? level
    }
}
