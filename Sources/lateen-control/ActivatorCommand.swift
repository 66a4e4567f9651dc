import Activator
import ArgumentParser
import Foundation
import Hummingbird
import KubernetesAPI
import Logging
import MeshModel
import NIOCore
import RequestReports
import ServiceLifecycle
import TrafficEngine
import UnixSignals

/// Holds requests for revisions without room.
struct ActivatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "activator",
        abstract: "Hold requests for revisions without room until there is some, and wake the autoscaler.",
        discussion: """
            Requests carry Knative-Serving-Revision and Knative-Serving-Namespace; the routes that the autoscaler makes
            set them. They come over HTTP/1.1, or HTTP/2 without TLS. One with a header x-lateen-activation-ms has the
            same in its answer: how long it waited. When as many wait as may, a request is answered with 503 and
            Retry-After; when its time runs out (x-envoy-expected-rq-timeout-ms, or timeoutSeconds of the revision if
            that is less) with 504.
            """
    )

    @Option(help: "A kubeconfig file; without it the service account of the pod is used.")
    var kubeconfig: String?

    @Option(help: "IP address to listen on.")
    var host = "0.0.0.0"

    @Option(help: "Port for requests (HTTP/1.1 and HTTP/2).")
    var port = 8012

    @Option(help: "Port for metrics.")
    var monitoringPort = 9090

    @Option(help: "Where the autoscaler takes reports.")
    var autoscaler = StatSender.Target.addressDefault

    @Option(help: "How reports are written: \(StatForm.allCases.map(\.rawValue).joined(separator: ", ")).")
    var statFormat = StatForm.protobuf

    @Option(help: "How many requests of one revision may wait.")
    var queueLength = 10_000

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        guard IPAddress(self.host) != nil else {
            throw ValidationError("--host: '\(self.host)' is no IP address such as 0.0.0.0 or ::")
        }
        for (name, port) in [("port", self.port), ("monitoring-port", self.monitoringPort)] {
            guard (1...65535).contains(port) else { throw ValidationError("--\(name): \(port) is no port") }
        }
        guard (1...1_000_000).contains(self.queueLength) else {
            throw ValidationError("--queue-length: \(self.queueLength) is not in 1...1000000")
        }
        guard StatSender.Target(self.autoscaler) != nil else {
            throw ValidationError("--autoscaler: '\(self.autoscaler)' is no address such as ws://autoscaler:8080")
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: self.logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "lateen-activator")
        guard let target = StatSender.Target(self.autoscaler), let ip = IPAddress(self.host),
            let port = UInt16(exactly: self.port)
        else { throw ExitCode.validationFailure }
        let address = NetworkAddress(ip: ip, port: port)
        let configuration: ClientConfiguration
        do {
            configuration = try self.kubeconfig.map { try .kubeconfig(path: $0) } ?? .inCluster()
        } catch {
            throw Failure("\(error)")
        }
        let client = try KubernetesClient(configuration: configuration, logger: logger)
        let environment = ProcessInfo.processInfo.environment
        let activator = ActivatorService(
            client: client,
            sender: StatSender(target: target, form: self.statFormat, logger: logger),
            settings: ActivatorService.Settings(
                name: environment["POD_NAME"] ?? environment["MY_POD_NAME"] ?? ProcessInfo.processInfo.hostName,
                address: address,
                concurrency: System.coreCount,
                queueLength: self.queueLength
            ),
            logger: logger
        )
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: RunningService("activator") { await activator.run() }),
                .init(service: Draining(activator: activator)),
                .init(service: self.monitoring(activator, logger)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(30)
        do {
            try await activator.start()
            try await ServiceGroup(configuration: group).run()
        } catch {
            logger.error("activator stops", metadata: ["error": "\(error)"])
            await activator.stop()
            await client.shutdown()
            throw ExitCode.failure
        }
        await activator.stop()
        await client.shutdown()
    }

    /// When the program is asked to stop, requests that are here have some time; pods for them are still watched meanwhile.
    private struct Draining: ServiceLifecycle.Service {
        let activator: ActivatorService

        func run() async throws {
            do { try await gracefulShutdown() } catch { return }
            await self.activator.drain(.seconds(25))
        }
    }

    private func monitoring(_ activator: ActivatorService, _ logger: Logger) -> some ServiceLifecycle.Service {
        let router = Router()
        router.get("metrics") { _, _ in
            let page = await activator.metricsPage
            return Response(
                status: .ok,
                headers: [.contentType: ActivatorService.metricsType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: page))
            )
        }
        return Application(
            router: router,
            configuration: .init(
                address: .hostname(self.host, port: self.monitoringPort),
                serverName: "lateen-activator"
            ),
            logger: logger
        )
    }
}

extension StatForm: ExpressibleByArgument {}
