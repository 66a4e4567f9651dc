import AdminServer
import DNSProxy
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import NIOPosix
import ProxyRuntime
import TrafficEngine

/// The parts of a proxy beside a workload, wired together.
struct Sidecar: Sendable {
    struct Options: Sendable {
        var workload: WorkloadEnvironment
        var controlPlane: (host: String, port: Int)
        var concurrency: Int
        var drainLimit: Duration
        var statusAddress: IPAddress
        var resolvConf: String
        var answersDNS: Bool
    }

    private let options: Options
    private let process: ProxyProcess
    private let dns: SidecarDNS
    private let client: ADSClient
    private let group: MultiThreadedEventLoopGroup

    init(options: Options, level: LogLevel) {
        // gRPC's own threads would be as many as there are cores.
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        self.options = options
        // DNS, admin and the control plane share one loop: none of them carries the workload's traffic.
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let dns = SidecarDNS(
            workload: options.workload,
            resolvConf: options.resolvConf,
            eventLoop: self.group.next(),
            logger: Logger(label: "dns")
        )
        let process = ProxyProcess(
            options: ProxyRuntimeOptions(
                concurrency: options.concurrency,
                resolve: { await dns.addresses(of: $0) },
                nameOfAddress: { dns.recentNames.name(of: $0) }
            ),
            facts: ServerFacts(
                version: LateenProxy.version,
                node: options.workload.node.id,
                mode: "sidecar",
                concurrency: options.concurrency
            ),
            level: level
        )
        self.dns = dns
        self.process = process
        self.client = ADSClient(
            configuration: ADSClient.Configuration(
                host: options.controlPlane.host,
                port: options.controlPlane.port,
                node: options.workload.node
            ),
            handlers: ADSClient.Handlers(
                state: { state in
                    for failure in await process.apply(state) {
                        process.logger.error("listener not opened", metadata: ["reason": "\(failure.message)"])
                    }
                    // A drain that has begun is not called off by a late configuration.
                    if process.state.value == .preInitializing {
                        process.state.value = .live
                        process.logger.info("ready")
                        ResidentMemory.releaseStartPages()
                    }
                },
                nameTable: { await dns.update($0) }
            ),
            logger: Logger(label: "ads")
        )
    }

    /// Runs until SIGTERM or SIGINT.
    func run() async throws {
        let admin = try await self.bindAdmin()
        if self.options.answersDNS { try await self.dns.start() }
        try await self.process.runtime.start()
        self.process.logger.info("started", metadata: ["node": "\(self.options.workload.node.id)"])
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await admin.run() }
            tasks.addTask { await self.dns.run() }
            tasks.addTask { await self.client.run() }
            let reason = await self.process.stop.wait()
            self.process.logger.info("draining", metadata: ["reason": "\(reason)"])
            self.process.state.value = .draining
            await self.process.runtime.drain(self.options.drainLimit)
            await self.process.runtime.stop()
            await self.dns.stop()
            tasks.cancelAll()
        }
        // The process ends: what could fail here would be closed by the kernel.
        try? await self.group.shutdownGracefully()
    }

    private func bindAdmin() async throws -> AdminServer {
        let client = self.client
        let dns = self.dns
        let status = self.options.statusAddress
        let loopback = NetworkAddress(ip: .v4(0x7f00_0001), port: MeshPorts.admin)
        return try await AdminServer.bind(
            [
                AdminServer.Binding(loopback, .all),
                AdminServer.Binding(NetworkAddress(ip: status, port: MeshPorts.prometheus), .prometheus),
                AdminServer.Binding(NetworkAddress(ip: status, port: MeshPorts.ready), .health),
            ],
            sources: self.process.sources(
                otherStatistics: { await dns.statistics() + Self.statistics(client) },
                configDump: { try ConfigurationDump.json(client.received, areStatic: false) }
            ),
            group: self.group,
            logger: self.process.logger
        )
    }

    /// Envoy's names for what came from the control plane.
    private static func statistics(_ client: ADSClient) -> [Statistic] {
        var all = [Statistic("control_plane.connected_state", .gauge, client.isConnected ? 1 : 0)]
        for (kind, counts) in client.counts {
            let prefix =
                switch kind {
                case .listeners: "listener_manager.lds"
                case .clusters: "cluster_manager.cds"
                case .routes, .endpoints, .nameTable: kind.rawValue
                }
            all.append(Statistic("\(prefix).update_success", .counter, counts.successes))
            all.append(Statistic("\(prefix).update_rejected", .counter, counts.rejections))
        }
        return all
    }
}
