import ArgumentParser
import Foundation
import Hummingbird
import KubernetesAPI
import Logging
import NIOCore
import RequestReports
import Serverless
import ServiceLifecycle
import UnixSignals

/// Decides how many pods revisions need, and sees to it; or replays observations and prints the decisions.
struct AutoscalerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autoscaler",
        abstract: "Scale revisions by the requests in flight, down to zero; or replay observations.",
        discussion: ReplayHelp.text
    )

    enum Output: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(help: "Replay the observations in a file (- is standard input), print every decision and end.")
    var replay: String?

    @Option(name: .shortAndLong, help: "How a replay is printed.")
    var output = Output.table

    @Option(help: "A kubeconfig file; without it the service account of the pod is used.")
    var kubeconfig: String?

    @Option(help: "Address to listen on.")
    var host = "0.0.0.0"

    @Option(help: "Port of the WebSocket for reports of requests.")
    var port = 8080

    @Option(help: "Port of metrics (HTTP).")
    var monitoringPort = 9090

    @Option(help: "Where the ConfigMap config-autoscaler is.")
    var namespace = ProcessInfo.processInfo.environment["SYSTEM_NAMESPACE"] ?? "knative-serving"

    @Flag(inversion: .prefixedNo, help: "Make serving.knative.dev Services run, too.")
    var serving = true

    @Option(help: "Services are reachable from outside under SERVICE.NAMESPACE.DOMAIN.")
    var domain = "svc.cluster.local"

    @Option(help: "The gateway of requests from outside, as NAMESPACE/NAME; by default none.")
    var gateway = ""

    @Option(help: "Host of the activator, which holds and reports requests; by default there is none.")
    var activatorHost: String?

    @Flag(help: "Lead requests past the activator while there is room; somebody else has to report them then.")
    var activatorOnDemand = false

    @Flag(help: "Revisions made from now on have no requests held in proxies: an adapter of the policy engine does it.")
    var heldElsewhere = false

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        for (name, port) in [("port", self.port), ("monitoring-port", self.monitoringPort)] {
            guard (1...65535).contains(port) else { throw ValidationError("--\(name): \(port) is no port") }
        }
    }

    func run() async throws {
        if let replay = self.replay {
            try self.printReplay(of: replay)
        } else {
            try await self.serve()
        }
    }

    // MARK: Replay

    private func printReplay(of path: String) throws {
        let text = try Self.read(path)
        let series: ReplaySeries
        do throws(ReplayProblems) {
            series = try ReplayReader.read(text, file: path == "-" ? "<stdin>" : path)
        } catch {
            throw Failure("\(error)")
        }
        let rows = Replay.run(series)
        switch self.output {
        case .table: print(ReplayReport.table(rows, settings: series.settings))
        case .json: print(ReplayReport.json(rows, series: series).text(pretty: true))
        }
    }

    private static func read(_ path: String) throws -> String {
        let data: Data
        if path == "-" {
            data = FileHandle.standardInput.readDataToEndOfFile()
        } else {
            do {
                data = try Data(contentsOf: URL(fileURLWithPath: path))
            } catch {
                throw Failure(
                    "\(path): cannot be read (\(error.localizedDescription)); expected a file of observations"
                )
            }
        }
        guard let text = String(data: data, encoding: .utf8) else { throw Failure("\(path): not UTF-8 text") }
        return text
    }

    // MARK: Service

    private func serve() async throws {
        let level = Logger.Level(rawValue: self.logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "lateen-autoscaler")
        let configuration: ClientConfiguration
        do {
            configuration = try self.kubeconfig.map { try .kubeconfig(path: $0) } ?? .inCluster()
        } catch {
            throw Failure("\(error)")
        }
        let client = try KubernetesClient(configuration: configuration, logger: logger)
        let autoscaler = AutoscalerService(client: client, namespace: self.namespace, logger: logger)
        let stats = StatServer(logger: logger) { autoscaler.record($0) }
        var services: [any ServiceLifecycle.Service] = [
            RunningService("autoscaler") { await autoscaler.run() },
            RunningService("stat messages") { try await stats.run(host: self.host, port: self.port) },
            self.monitoring(autoscaler, stats, logger),
        ]
        if self.serving {
            let controller = ServingController(
                client: client,
                namespace: self.namespace,
                settings: self.planSettings,
                logger: logger
            )
            services.append(RunningService("serving") { await controller.run() })
        }
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(3)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            logger.error("autoscaler stops", metadata: ["error": "\(error)"])
            await client.shutdown()
            throw ExitCode.failure
        }
        await client.shutdown()
    }

    private var planSettings: ServicePlan.Settings {
        var settings = ServicePlan.Settings()
        settings.domain = self.domain
        settings.gateway = self.gateway
        settings.activator = self.activatorHost
        settings.isActivatorOnDemand = self.activatorOnDemand
        settings.holdsInProxies = !self.heldElsewhere
        return settings
    }

    private func monitoring(
        _ autoscaler: AutoscalerService,
        _ stats: StatServer,
        _ logger: Logger
    ) -> some ServiceLifecycle.Service {
        let router = Router()
        router.get("ready") { _, _ -> Response in
            autoscaler.isReady ? Self.text("ready\n") : Self.text("waiting for the API server\n", .serviceUnavailable)
        }
        router.get("metrics") { _, _ in
            Self.text(autoscaler.metricsPage + stats.metricsPage, type: AutoscalerService.metricsType)
        }
        return Application(
            router: router,
            configuration: .init(
                address: .hostname(self.host, port: self.monitoringPort),
                serverName: "lateen-autoscaler"
            ),
            logger: logger
        )
    }

    private static func text(
        _ text: String,
        _ status: HTTPResponse.Status = .ok,
        type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
