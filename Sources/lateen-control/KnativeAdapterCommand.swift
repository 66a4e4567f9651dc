import ArgumentParser
import Foundation
import KubernetesAPI
import Logging
import RequestReports
import Serverless
import ServiceLifecycle
import UnixSignals

/// The Mixer adapter that wakes revisions.
struct KnativeAdapterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "knative-adapter",
        abstract:
            "A Mixer adapter (template authorization) that wakes revisions at zero and holds requests until they are up.",
        discussion: """
            The action's service may be a revision, a Knative Service, or a host of either; the property `revision` names
            one outright. With access to the API server answers are held until a pod is ready; without it (--standalone)
            the service's name is taken for the revision's and every answer is given at once.
            """
    )

    private static let environment = ProcessInfo.processInfo.environment

    @Argument(help: "Port of the adapter (gRPC).")
    var port = 6100

    @Option(help: "Address to listen on.")
    var host = "0.0.0.0"

    @Option(help: "Where the autoscaler takes reports; by default what AUTOSCALER_ENDPOINT says.")
    var autoscaler =
        Self.environment["AUTOSCALER_ENDPOINT"] ?? StatSender.Target.addressDefault

    @Option(help: "How reports are written: \(StatForm.allCases.map(\.rawValue).joined(separator: ", ")).")
    var statFormat = StatForm.protobuf

    @Option(help: "For how many seconds a proxy may use an answer again.")
    var validSeconds = 1.0

    @Option(help: "For how many seconds an answer is held while no pod is ready; 0: not at all.")
    var holdSeconds = 30.0

    @Option(help: "A kubeconfig file; without it the service account of the pod is used.")
    var kubeconfig: String?

    @Flag(help: "Work without the API server.")
    var standalone = false

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: self.logLevel) != nil else {
            throw ValidationError(
                "--log-level: '\(self.logLevel)' is not one of trace, debug, info, notice, warning, error, critical"
            )
        }
        guard (1...65535).contains(self.port) else { throw ValidationError("\(self.port) is no port") }
        guard StatSender.Target(self.autoscaler) != nil else {
            throw ValidationError("--autoscaler: '\(self.autoscaler)' is no address such as ws://autoscaler:8080")
        }
        guard (0.0...60).contains(self.validSeconds) else {
            throw ValidationError(
                "--valid-seconds: \(self.validSeconds) is not in 0...60; a revision may go to zero after that"
            )
        }
        guard (0.0...600).contains(self.holdSeconds) else {
            throw ValidationError("--hold-seconds: \(self.holdSeconds) is not in 0...600")
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: self.logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "lateen-knative-adapter")
        guard let target = StatSender.Target(self.autoscaler) else { throw ExitCode.validationFailure }
        let client = try self.client(logger)
        var settings = KnativeAdapter.Settings()
        settings.name =
            Self.environment["POD_NAME"] ?? Self.environment["MY_POD_NAME"] ?? ProcessInfo.processInfo.hostName
        settings.validDuration = .milliseconds(Int64(self.validSeconds * 1000))
        settings.hold = .milliseconds(Int64(self.holdSeconds * 1000))
        let adapter = KnativeAdapter(
            client: client,
            sender: StatSender(target: target, form: self.statFormat, logger: logger),
            settings: settings,
            logger: logger
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: RunningService("knative adapter") {
                            try await adapter.run(host: self.host, port: self.port) { port in
                                logger.info("adapter listens", metadata: ["port": "\(port)"])
                            }
                        }
                    )
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        do {
            try await group.run()
        } catch {
            logger.error("adapter stops", metadata: ["error": "\(error)"])
            await client?.shutdown()
            throw ExitCode.failure
        }
        await client?.shutdown()
    }

    private func client(_ logger: Logger) throws -> KubernetesClient? {
        guard !self.standalone else { return nil }
        do {
            let configuration: ClientConfiguration =
                try self.kubeconfig.map { try .kubeconfig(path: $0) } ?? .inCluster()
            return try KubernetesClient(configuration: configuration, logger: logger)
        } catch {
            throw Failure("\(error); --standalone works without an API server")
        }
    }
}
