import ArgumentParser
import AsyncHTTPClient
import Foundation
import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1
import PolicyEngine
import ServiceLifecycle
import UnixSignals

/// Runs the policy engine until it is told to stop.
struct MixerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mixer",
        abstract: "Decide about requests and take reports, by rules (the Mixer protocol).",
        discussion: """
            Rules, handlers and instances (config.istio.io) come from the Kubernetes API, or from files:

              lateen-control mixer --config policies/ --port 9091

            Files are read again when they change. What is wrong in an object is logged with its field and left out.
            With --config, --kubeconfig names the cluster whose pods are looked up (adapter kubernetesenv).
            Metrics of handlers: http://HOST:15014/metrics; the mistakes: /debug/diagnoses. `lateen policy trace` asks how
            a request is decided (POST /debug/trace, from the same host or pod only).
            """
    )

    @Option(help: ArgumentHelp("Folders or files with objects (YAML), instead of an API server.", valueName: "path"))
    var config: [String] = []

    @Option(help: "A kubeconfig file; without it the service account of the pod is used.")
    var kubeconfig: String?

    @Option(help: "Address to listen on.")
    var host = "0.0.0.0"

    @Option(help: "Port that proxies ask at (gRPC); 0 takes a free one.")
    var port = 9091

    @Option(help: "Port of metrics and debug pages (HTTP).")
    var monitoringPort = 15014

    @Option(help: "The namespace whose rules are for all; by default that of the pod, else istio-system.")
    var namespace = ProcessInfo.processInfo.environment["POD_NAMESPACE"] ?? "istio-system"

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        for (name, port) in [("port", self.port), ("monitoring-port", self.monitoringPort)] {
            guard (0...65535).contains(port) else { throw ValidationError("--\(name): \(port) is no port") }
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: self.logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "lateen-mixer")
        let metrics = MetricsRegistry()
        let output = LineOutput(metrics: metrics)
        // Files say what to do; the cluster, if there is one, who is who.
        let client = try self.client(logger)
        let environment = Self.environment(output, metrics, client)
        var builder = ConfigurationBuilder(environment: environment)
        builder.rootNamespace = self.namespace
        let server = PolicyServer(logger: logger)
        let readiness = MixerReadiness()
        let apply: @Sendable (PolicyConfiguration) -> Void = { configuration in
            server.update(configuration)
            readiness.configured(configuration, logger: logger)
        }
        var services: [any ServiceLifecycle.Service] = [
            RunningService("handlers") { await server.run() },
            RunningService("output") { await output.run() },
            MixerMonitoring(server: server, readiness: readiness, environment: environment)
                .service(host: self.host, port: self.monitoringPort, logger: logger),
        ]
        if self.config.isEmpty, let client {
            let watch = PolicyWatch(client: client, builder: builder)
            services.append(RunningService("watch") { await watch.run(onConfiguration: apply) })
        } else {
            let files = ConfigurationFiles(files: ObjectFiles(self.config), builder: builder, logger: logger)
            // What is wrong with the files at the start is for the person who started it.
            // Looked at before they are read: what changes in between is read again.
            let state = try files.files.fingerprints()
            let first = try files.read()
            apply(first)
            services.append(
                RunningService("files") { await files.follow(after: first, of: state, onConfiguration: apply) }
            )
        }
        let listener = MixerListener(host: self.host, port: self.port, service: MixerService(server))
        services.append(RunningService("mixer") { try await listener.run() })
        services.append(
            RunningService("announcement") {
                let port = try await listener.port() ?? self.port
                logger.info("policy engine serves", metadata: ["address": "\(self.host):\(port)"])
                // The group would end with its first service that does.
                while true { try await Task.sleep(for: .seconds(86_400)) }
            }
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
            logger.error("policy engine stops", metadata: ["error": "\(error)"])
            await client?.shutdown()
            throw ExitCode.failure
        }
        await client?.shutdown()
    }

    /// `nil` where objects come from files and no cluster was named.
    private func client(_ logger: Logger) throws -> KubernetesClient? {
        if !self.config.isEmpty, self.kubeconfig == nil { return nil }
        do {
            let configuration: ClientConfiguration =
                try self.kubeconfig.map { try .kubeconfig(path: $0) } ?? .inCluster()
            return try KubernetesClient(configuration: configuration, logger: logger)
        } catch {
            throw Failure("\(error); --config reads objects from files instead")
        }
    }

    private static func follow(_ client: KubernetesClient) -> AdapterEnvironment.Follow {
        { type, onChange in await client.reflect(type, onChange: onChange) }
    }

    private static func environment(
        _ output: LineOutput,
        _ metrics: MetricsRegistry,
        _ client: KubernetesClient?
    ) -> AdapterEnvironment {
        let start = ContinuousClock.now
        return AdapterEnvironment(
            now: { ContinuousClock.now - start },
            write: { output.write($0) },
            fetch: { url, bytesMax in
                let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
                guard response.status == .ok else {
                    throw PolicyStatus(.unavailable, "\(url): \(response.status.code)")
                }
                return String(buffer: try await response.body.collect(upTo: bytesMax))
            },
            metrics: metrics,
            follow: client.map(Self.follow)
        )
    }
}
