import ArgumentParser
import Foundation
import KubernetesAPI
import Logging
import MeshConfig
import MeshModel
import MeshPush
import ServiceLifecycle
import SidecarInjection
import UnixSignals
import WorkloadRegistration

/// Runs the control plane until it is told to stop.
struct DiscoveryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discovery",
        abstract: "Watch the Kubernetes API and configure proxies."
    )

    @Option(help: "A kubeconfig file; without it the service account of the pod is used.")
    var kubeconfig: String?

    @Option(help: "Address to listen on.")
    var host = "0.0.0.0"

    @OptionGroup(title: "Identities")
    var identity: IdentityOptions

    @OptionGroup(title: "Virtual addresses")
    var addresses: VirtualAddressOptions

    @Option(help: "Port of the webhooks for injection and validation (HTTPS).")
    var webhookPort = Int(MeshPorts.webhook)

    @Option(help: "Port of metrics and debug pages (HTTP).")
    var monitoringPort = Int(MeshPorts.controlMonitoring)

    @Option(help: "The namespace of the control plane; by default that of its pod, else istio-system.")
    var namespace = ProcessInfo.processInfo.environment["POD_NAMESPACE"] ?? "istio-system"

    @Option(help: "The Service in front of the control plane; proxies and the API server call it by this name.")
    var service = "istiod"

    @Option(help: "The name of the cluster, by which other clusters know it; CLUSTER_ID if that is set.")
    var cluster = ProcessInfo.processInfo.environment["CLUSTER_ID"] ?? "Kubernetes"

    @Option(help: "The DNS domain of the cluster.")
    var domainSuffix = "cluster.local"

    @Option(help: "The image of injected sidecars.")
    var proxyImage = InjectionSettings().image

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    @Flag(inversion: .prefixedNo, help: "Serve the webhooks for injection and validation.")
    var webhook = true

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        for (name, port) in [("webhook", self.webhookPort), ("monitoring", self.monitoringPort)] {
            guard (1...65535).contains(port) else { throw ValidationError("--\(name)-port: \(port) is no port") }
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: self.logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "lateen-control")
        let configuration: ClientConfiguration
        do {
            configuration = try self.kubeconfig.map { try .kubeconfig(path: $0) } ?? .inCluster()
        } catch {
            throw Failure("\(error)")
        }
        let client = try KubernetesClient(configuration: configuration, logger: logger)
        let registrar = WorkloadRegistrar(
            client: client,
            controller: ProcessInfo.processInfo.environment["POD_NAME"] ?? ProcessInfo.processInfo.hostName,
            namespace: self.namespace,
            logger: logger
        )
        let push = PushServer(observer: registrar, logger: logger)
        let watch = MeshWatch(
            client: client,
            objects: MeshObjects(
                domainSuffix: self.domainSuffix,
                rootNamespace: self.namespace,
                virtualAddresses: self.addresses.ranges
            ),
            waitsForRemotes: true
        )
        let remotes = RemoteClusters(
            client: client,
            watch: watch,
            cluster: self.cluster,
            namespace: self.namespace,
            logger: logger
        )
        let addresses = AddressKeeper(
            client: client,
            namespace: self.namespace,
            options: self.addresses,
            logger: logger
        )
        let reporter = DiagnosisReporter(logger: logger)
        let identity = IdentityPlane(
            client: client,
            push: push,
            options: self.identity,
            service: .init(name: self.service, namespace: self.namespace, domain: self.domainSuffix),
            logger: logger
        )
        let monitoring = MonitoringServer(
            push: push,
            authority: identity.statistics,
            addresses: addresses,
            remotes: remotes,
            version: LateenControl.version
        )
        var services: [any ServiceLifecycle.Service] = [
            RunningService("watch") {
                await watch.run { snapshot, change in
                    push.update(snapshot, services: change.services)
                    reporter.report(snapshot)
                    // Endpoints come and go and have no say in who is given which address.
                    if case .full = change { addresses.update(snapshot) }
                }
            },
            RunningService("clusters") { await remotes.run() },
            RunningService("push") { await push.run() },
            RunningService("machines") { await registrar.run() },
            RunningService("discovery") {
                try await identity.serve(host: self.host, port: self.identity.tlsPort, push: push)
            },
            monitoring.service(host: self.host, port: self.monitoringPort, logger: logger),
        ]
        services += identity.services
        if self.addresses.allocateAddresses {
            services.append(RunningService("addresses") { await addresses.run() })
        }
        if self.identity.plaintextXds {
            services.append(RunningService("plaintext discovery") { try await self.servePlaintext(push, logger) })
        }
        if self.webhook {
            let webhook = WebhookServer(
                client: client,
                namespace: self.namespace,
                service: self.service,
                injector: { [settings = self.injectionSettings] in
                    var settings = settings
                    settings.trustDomain = push.snapshot.settings.trustDomain
                    settings.network = push.snapshot.network
                    return SidecarInjector(settings: settings)
                },
                domainSuffix: self.domainSuffix,
                logger: logger
            )
            services.append(
                RunningService("webhook") { try await webhook.run(host: self.host, port: self.webhookPort) }
            )
        }
        logger.info(
            "control plane starts",
            metadata: ["version": "\(LateenControl.version)", "server": "\(configuration.server)"]
        )
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(3)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            logger.error("control plane stops", metadata: ["error": "\(error)"])
            await client.shutdown()
            throw ExitCode.failure
        }
        await client.shutdown()
    }

    private func servePlaintext(_ push: PushServer, _ logger: Logger) async throws {
        await push.waitForFirst()
        try Task.checkCancellation()
        let port = self.identity.xdsPort
        logger.warning("serving proxies in clear text, to whoever asks", metadata: ["port": "\(port)"])
        try await ADSServer(host: self.host, port: port, push: push, logger: logger).run()
    }

    private var injectionSettings: InjectionSettings {
        var settings = InjectionSettings()
        settings.image = self.proxyImage
        settings.discoveryAddress = "\(self.service).\(self.namespace).svc:\(self.identity.tlsPort)"
        settings.domainSuffix = self.domainSuffix
        settings.cluster = self.cluster
        settings.virtualAddresses = self.addresses.ranges
        return settings
    }
}
