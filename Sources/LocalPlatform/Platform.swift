import Foundation
import KubernetesAPI
import LocalAPIServer
package import Logging
import MeshModel
import NIOCore
import NIOPosix
package import ServiceLifecycle
import Synchronization

/// The one-machine platform around its API server: controllers, node, DNS, outside hosts.
package final class Platform: ServiceLifecycle.Service {
    private let settings: PlatformSettings
    private let network: PlatformNetwork
    private let state: StateFolder
    private let logger: Logger
    private let apiServer: LocalAPIServer
    private let backend: LatePodBackend
    private let eventLoops: MultiThreadedEventLoopGroup

    private static let types: [ResourceType] = [
        .pods, .services, .endpoints, .endpointSlices, .configMaps, .secrets, .deployments, .replicaSets,
        .networkPolicies, .namespaces,
    ]

    package init(settings: PlatformSettings, state: StateFolder, logger: Logger) {
        self.settings = settings
        let network = settings.network(of: state)
        self.network = network
        self.state = state
        self.logger = logger
        self.backend = LatePodBackend()
        self.eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.apiServer = LocalAPIServer(
            configuration: APIServerConfiguration(
                stateFolder: state.url,
                clusterName: network.isFirst ? "lateen" : "lateen-\(network.cluster)",
                // Clients of a cluster with a machine of its own come by the wire.
                address: network.isFirst ? "127.0.0.1" : network.machineAddress,
                lateAddresses: network.isFirst ? [network.gateway, network.machineAddress] : [network.gateway],
                serviceCIDR: network.serviceRange,
                kubernetesServiceAddress: network.kubernetesService,
                endpointAddress: network.gateway
            ),
            backend: self.backend,
            logger: logger
        )
    }

    /// The services of the platform, in the order in which they start; they stop the other way round.
    package var services: [any ServiceLifecycle.Service] { [APIServerService(server: self.apiServer), self] }

    /// Runs until it is told to stop; every process it started has ended then.
    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.serve() }
        } catch is CancellationError {
        }
    }

    private func serve() async throws {
        let hosts = try self.settings.outsideHosts()
        let catalogue = CatalogueHolder(try self.settings.catalogue())
        // An earlier daemon may have died in the middle of anything.
        try await HostRules.removeAll()
        try await HostNetwork.removeAll(state: self.state, network: self.network)
        try await HostNetwork.create(state: self.state, network: self.network)
        try await HostRules.apply(ServiceRules(routes: [], network: self.network), stale: [])
        let trust = OutsideTrust(state: self.state)
        try await trust.prepare(hosts.hosts)
        try await self.apiServer.waitUntilReady()

        let client = try KubernetesClient(
            configuration: try ClientConfiguration.kubeconfig(path: self.state.kubeconfig.path),
            logger: self.logger
        )
        let mirror = Mirror(client: client, types: Self.types)
        let dns = ClusterDNS(
            mirror: mirror,
            network: self.network,
            outside: Dictionary(hosts.hosts.map { ($0.hostName, $0.address) }, uniquingKeysWith: { $1 }),
            servers: hosts.hosts.filter(\.answersDNS).map(\.address),
            eventLoop: self.eventLoops.next(),
            logger: self.logger
        )
        try await dns.start()
        for (type, object) in ClusterDNS.objects(self.network) {
            do { _ = try await client.create(type, object) } catch let error as KubernetesError
                where error.isAlreadyExists
            {}
        }
        let events = EventRecorder(client: client, component: "lateen", logger: self.logger)
        let agent = NodeAgent(
            services: NodeServices(
                client: client,
                mirror: mirror,
                events: events,
                state: self.state,
                network: self.network,
                catalogue: catalogue,
                addresses: AddressBook(file: self.state.addresses, network: self.network),
                eventLoops: self.eventLoops,
                trustedRoots: try trust.bundle(of: hosts.hosts),
                runtimeFolders: Sandbox.runtimeFolders(),
                rootLinks: Sandbox.machineRootLinks(),
                logger: self.logger
            )
        )
        self.backend.set(agent)
        let nodePorts = NodePortForwarder(eventLoops: self.eventLoops, logger: self.logger)
        let controllers: [any Reconciler] = [
            DeploymentController(client: client, mirror: mirror, events: events, logger: self.logger),
            ReplicaSetController(client: client, mirror: mirror, events: events, logger: self.logger),
            EndpointController(client: client, mirror: mirror, logger: self.logger),
            LoadBalancerController(client: client, mirror: mirror, network: self.network, logger: self.logger),
            ServiceProxy(mirror: mirror, network: self.network, nodePorts: nodePorts, logger: self.logger), dns,
        ]
        let outside = OutsideRunner(
            hosts: hosts.hosts,
            state: self.state,
            network: self.network,
            eventLoops: self.eventLoops,
            logger: self.logger
        )
        await withDiscardingTaskGroup { group in
            group.addTask { await mirror.run() }
            group.addTask { await agent.run() }
            group.addTask { await outside.run() }
            group.addTask { await dns.followUpstreams() }
            group.addTask { await self.followCatalogue(agent) }
            for controller in controllers {
                group.addTask { await controller.run(mirror: mirror, logger: self.logger) }
            }
            group.addTask { await self.announce(mirror, agent, outside) }
        }
        await nodePorts.stop()
        await dns.stop()
        await client.shutdown()
    }

    /// Writes the file that `up` waits for.
    private func announce(_ mirror: Mirror, _ agent: NodeAgent, _ outside: OutsideRunner) async {
        while !mirror.isSynced(Set(Self.types)) || !agent.hasTakenOver {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
        let late = await outside.waitUntilReady(.seconds(60))
        if Task.isCancelled { return }
        let text = late.isEmpty ? "" : "not ready: \(late.joined(separator: ", "))"
        do {
            try Data(text.utf8).write(to: self.state.ready, options: .atomic)
        } catch {
            self.logger.error("cannot write the ready file", metadata: ["error": "\(error)"])
        }
        self.logger.info("platform ready", metadata: ["late": "\(late)"])
    }

    /// Takes over changes of the settings and of catalogue files, within a second.
    private func followCatalogue(_ agent: NodeAgent) async {
        var before = self.catalogueText()
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let now = self.catalogueText()
            if now == before { continue }
            before = now
            do {
                let settings = try PlatformSettings.read(self.state)
                await agent.replaceCatalogue(try settings.catalogue())
                self.logger.info("image catalogue read again")
            } catch {
                self.logger.error("image catalogue not taken over", metadata: ["error": "\(error)"])
            }
        }
    }

    private func catalogueText() -> [Data?] {
        let settings = (try? PlatformSettings.read(self.state)) ?? self.settings
        let files = ["\(settings.deployFolder)/one-machine/images.yaml"] + settings.images
        return files.map { FileManager.default.contents(atPath: $0) } + [Data(settings.images.joined().utf8)]
    }
}

/// The API server as a service; it stops after everything that speaks to it.
private struct APIServerService: ServiceLifecycle.Service {
    let server: LocalAPIServer

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.server.run() }
        } catch is CancellationError {
        }
    }
}

/// Stands before the node until that is there: the API server starts first.
private final class LatePodBackend: PodBackend {
    private let agent = Mutex<NodeAgent?>(nil)

    func set(_ agent: NodeAgent) { self.agent.withLock { $0 = agent } }

    private func present() throws -> NodeAgent {
        guard let agent = self.agent.withLock({ $0 }) else {
            throw PodBackendError(.unavailable, "the node is starting; try again")
        }
        return agent
    }

    func logs(_ request: PodLogRequest) async throws -> AsyncThrowingStream<ByteBuffer, any Error> {
        try await self.present().logs(request)
    }

    func exec(_ request: PodExecRequest) async throws -> any PodExecSession { try await self.present().exec(request) }
}
