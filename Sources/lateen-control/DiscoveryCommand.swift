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

    @Option(help: "Port of the discovery service (xDS over gRPC, clear text).")
    var xdsPort = Int(MeshPorts.xdsPlaintext)

    @Option(help: "Port of the injection webhook (HTTPS).")
    var webhookPort = Int(MeshPorts.webhook)

    @Option(help: "Port of metrics and debug pages (HTTP).")
    var monitoringPort = Int(MeshPorts.controlMonitoring)

    @Option(help: "The namespace of the control plane; by default that of its pod, else istio-system.")
    var namespace = ProcessInfo.processInfo.environment["POD_NAMESPACE"] ?? "istio-system"

    @Option(help: "The Service in front of the control plane; proxies and the API server call it by this name.")
    var service = "istiod"

    @Option(help: "The DNS domain of the cluster.")
    var domainSuffix = "cluster.local"

    @Option(help: "The image of injected sidecars.")
    var proxyImage = InjectionSettings().image

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    @Flag(inversion: .prefixedNo, help: "Serve the injection webhook.")
    var webhook = true

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        for (name, port) in [("xds", self.xdsPort), ("webhook", self.webhookPort), ("monitoring", self.monitoringPort)]
        {
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
        let push = PushServer(logger: logger)
        let watch = MeshWatch(
            client: client,
            objects: MeshObjects(domainSuffix: self.domainSuffix, rootNamespace: self.namespace)
        )
        let reporter = DiagnosisReporter(logger: logger)
        let monitoring = MonitoringServer(push: push, version: LateenControl.version)
        var services: [any ServiceLifecycle.Service] = [
            RunningService("watch") {
                await watch.run { snapshot, _ in
                    push.update(snapshot)
                    reporter.report(snapshot)
                }
            },
            RunningService("push") { await push.run() },
            RunningService("discovery") {
                await push.waitForFirst()
                try Task.checkCancellation()
                logger.info("serving proxies", metadata: ["port": "\(self.xdsPort)"])
                try await ADSServer(host: self.host, port: self.xdsPort, push: push, logger: logger).run()
            },
            monitoring.service(host: self.host, port: self.monitoringPort, logger: logger),
        ]
        if self.webhook {
            let webhook = InjectionWebhook(
                client: client,
                namespace: self.namespace,
                service: self.service,
                injector: SidecarInjector(settings: self.injectionSettings),
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

    private var injectionSettings: InjectionSettings {
        var settings = InjectionSettings()
        settings.image = self.proxyImage
        settings.discoveryAddress = "\(self.service).\(self.namespace).svc:\(MeshPorts.xdsPlaintext)"
        settings.domainSuffix = self.domainSuffix
        return settings
    }
}

/// A loop that ends when the program is asked to stop.
struct RunningService: ServiceLifecycle.Service {
    private let name: String
    private let body: @Sendable () async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.body = body
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.body() }
        } catch is CancellationError {
            return
        } catch {
            throw ServiceFailure(service: self.name, cause: error)
        }
    }
}

/// Which part of the control plane failed, and why.
struct ServiceFailure: Error, CustomStringConvertible {
    var service: String
    var cause: any Error

    var description: String { "\(self.service): \(self.cause)" }
}
