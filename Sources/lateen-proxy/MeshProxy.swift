import AdminServer
import DNSProxy
import HealthProbing
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import NIOPosix
import ProxyRuntime
import RequestAuthorities
import TrafficEngine
import WorkloadIdentity
import XDSAPI

/// The parts of a proxy that a control plane configures, wired together: beside a workload, or as a gateway.
struct MeshProxy: Sendable {
    struct Options: Sendable {
        var workload: WorkloadEnvironment
        var controlPlane: HostPort
        /// `nil`: no TLS to the control plane and no certificate.
        var identity: ProxyIdentity.Options?
        var concurrency: Int
        var drainLimit: Duration
        var statusAddress: IPAddress
        var resolvConf: String
        var dns: DNSSettings
        var answersDNS: Bool
        /// `nil`: nothing is stored.
        var stateDirectory: String?
        var stateWait: Duration
        /// Where DNS is answered; `nil`: on loopback.
        var dnsListening: DNSServer.Options?
        /// How to tell whether the workload is well; `nil`: nobody asks.
        var health: HealthCheck?
        /// Whoever started this process ends it by closing its standard input.
        var isSupervised = false
    }

    /// How long the control plane is asked for a certificate before it is asked for a configuration with a token alone.
    private static let identityWait = Duration.seconds(2)

    private let options: Options
    private let process: ProxyProcess
    private let dns: WorkloadDNS
    private let join: StateJoin
    private let identity: ProxyIdentity?
    private let client: ADSClient
    private let activations: ActivationReports?
    private let group: MultiThreadedEventLoopGroup

    init(options: Options, level: LogLevel) throws {
        // gRPC's own threads would be as many as there are cores.
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        self.options = options
        // DNS, admin and the control plane share one loop: none of them carries the workload's traffic.
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let dns = try WorkloadDNS(
            workload: options.workload,
            resolvConf: options.resolvConf,
            settings: options.dns,
            listening: options.dnsListening,
            eventLoop: self.group.next(),
            logger: Logger(label: "dns")
        )
        var runtime = ProxyRuntimeOptions(
            concurrency: options.concurrency,
            resolve: { await dns.addresses(of: $0) },
            nameOfAddress: { dns.recentNames.name(of: $0) }
        )
        if options.answersDNS { runtime.mintedNames = MintedAddresses(names: dns.minted) }
        runtime.namesGiven = { dns.namesGiven($0, grace: $1) }
        runtime.dnsBoundEgressMode = options.workload.dnsBoundEgress
        self.activations = options.workload.autoscaler.map {
            ActivationReports(name: options.workload.pod, target: $0)
        }
        runtime.activationReporter = self.activations
        self.process = ProxyProcess(
            options: runtime,
            facts: ServerFacts(
                version: LateenProxy.version,
                node: options.workload.node.id,
                mode: options.workload.role.rawValue,
                concurrency: options.concurrency
            ),
            level: level
        )
        self.dns = dns
        let join = StateJoin()
        self.join = join
        let (host, port) = (options.controlPlane.host, Int(options.controlPlane.port.number))
        var node = options.workload.node
        // What it cannot give addresses to it must not be told to route by them.
        node.metadata["MINTS_ADDRESSES"] = options.answersDNS ? "true" : nil
        // Only here, and not for stock Envoy as the engine, which would refuse the filter.
        node.metadata[NodeMetadata.mixer] = "true"
        node.metadata[NodeMetadata.holding] = "true"
        self.identity = options.identity.map { ProxyIdentity($0, host: host, port: port, join: join) }
        var configuration = ADSClient.Configuration(
            access: self.identity?.access ?? ControlPlaneAccess(host: host, port: port),
            node: node
        )
        configuration.storeLimit = options.stateWait
        configuration.store = options.stateDirectory.map {
            LastGoodStore(directory: $0, node: options.workload.node.id)
        }
        self.client = ADSClient(
            configuration: configuration,
            handlers: ADSClient.Handlers(
                state: { join.configured($0) },
                names: { await dns.update($0) }
            ),
            logger: Logger(label: "ads")
        )
    }

    /// Runs until SIGTERM or SIGINT.
    func run() async throws {
        let admin = try await self.bindAdmin()
        if self.options.answersDNS { try await self.dns.start() }
        try await self.process.runtime.start()
        if self.options.isSupervised { self.process.stop.sendWhenInputEnds() }
        self.process.logger.info("started", metadata: ["node": "\(self.options.workload.node.id)"])
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await admin.run() }
            tasks.addTask { await self.process.authorities.run() }
            tasks.addTask { await self.dns.run() }
            if let activations = self.activations {
                tasks.addTask { await activations.run { self.process.runtime.reportActivations() } }
            }
            tasks.addTask { await self.join.run { await self.apply($0) } }
            self.keepIdentity(&tasks)
            if let check = self.options.health { tasks.addTask { await self.watchHealth(check) } }
            tasks.addTask {
                if self.identity != nil { await self.join.waitForIdentity(Self.identityWait) }
                await self.client.run()
            }
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

    /// Tells the control plane how the workload is whenever that changes.
    private func watchHealth(_ check: HealthCheck) async {
        let own = self.options.workload.address
        let isV4 = own.bitCount == 32
        let prober = HealthProber(
            check,
            address: isV4 ? own.description : "::1",
            source: isV4 ? "127.0.0.6" : nil,
            group: self.group
        )
        await prober.run { problem in
            self.process.logger.info("health of workload", metadata: ["problem": "\(problem ?? "none")"])
            self.client.report(HealthReport(isHealthy: problem == nil, message: problem ?? ""))
        }
    }

    private func keepIdentity(_ tasks: inout TaskGroup<Void>) {
        guard let keeper = self.identity?.keeper else { return }
        tasks.addTask { await keeper.run() }
        tasks.addTask { for await certificate in keeper.updates { self.join.identified(certificate) } }
    }

    private func apply(_ state: ProxyState) async {
        for failure in await self.process.apply(state) {
            self.process.logger.error("listener not opened", metadata: ["reason": "\(failure.message)"])
        }
        // Only now: an address is answered when connections to it are led on.
        if self.options.answersDNS { self.dns.use(state.mintedWildcards) }
        // A drain that has begun is not called off by a late configuration.
        guard self.process.state.value == .preInitializing else { return }
        // Peers would refuse a workload that cannot say who it is.
        guard self.identity == nil || self.join.identity != nil else { return }
        self.process.state.value = .live
        self.process.logger.info("ready")
        ResidentMemory.releaseStartPages()
    }

    private func bindAdmin() async throws -> AdminServer {
        let status = self.options.statusAddress
        let loopback = NetworkAddress(ip: .v4(0x7f00_0001), port: MeshPorts.admin)
        return try await AdminServer.bind(
            [
                AdminServer.Binding(loopback, .all),
                AdminServer.Binding(NetworkAddress(ip: status, port: MeshPorts.prometheus), .prometheus),
                AdminServer.Binding(NetworkAddress(ip: status, port: MeshPorts.ready), .health),
            ],
            sources: self.sources(),
            group: self.group,
            logger: self.process.logger
        )
    }

    private func sources() -> AdminSources {
        let client = self.client
        let dns = self.dns
        let join = self.join
        let keeper = self.identity?.keeper
        var sources = self.process.sources(
            otherStatistics: {
                await dns.statistics() + ProxyNumbers.subscription(client) + ProxyNumbers.identity(keeper)
            },
            configDump: {
                try ConfigurationDump.json(client.received, areStatic: false, ownSecrets: join.ownSecrets)
            }
        )
        sources.certificates = { ProxyNumbers.certificates(join.identity, join.otherSecrets) }
        sources.mintedAddresses = { MintedAddresses(names: dns.minted).page }
        sources.dns = { await DNSPages(dns: dns).respond(to: $0) }
        let tracing = MixerTracing(runtime: self.process.runtime, group: self.group)
        sources.policyTrace = { await tracing.respond(to: $0) }
        sources.configurationSource = {
            switch client.origin {
            case .none: "none"
            case .controlPlane: "control plane"
            case .disk(let stored): "disk, stored \(CertificatesText.date(stored))"
            }
        }
        return sources
    }
}
