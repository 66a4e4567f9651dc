import ArgumentParser
import Foundation
import LocalPlatform
import Logging
import ServiceLifecycle
import UnixSignals

/// The daemon that `up` starts.
struct PlatformCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "platform",
        abstract: "Run the platform in the foreground; `lateen up` starts it in the background.",
        shouldDisplay: false
    )

    @Option(help: "The least important messages that are logged: trace, debug, info, warning or error.")
    var logLevel: String = ProcessInfo.processInfo.environment["LATEEN_LOG_LEVEL"] ?? "info"

    @OptionGroup var cluster: ClusterOption

    func run() async throws {
        let state = self.cluster.state
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "lateen.platform")
        logger.logLevel = Logger.Level(rawValue: self.logLevel) ?? .info
        do {
            try Preflight.checkRights()
            try state.create()
            // Held until the end of the process.
            let lock = try DaemonLock(state)
            try Daemon.writePidFile(state)
            try? FileManager.default.removeItem(at: state.ready)
            let platform = Platform(settings: try PlatformSettings.read(state), state: state, logger: logger)
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: platform.services.map { .init(service: $0) },
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logger
                )
            )
            try await group.run()
            _ = consume lock
        } catch {
            logger.error("the platform cannot go on", metadata: ["error": "\(error)"])
            // `up` reads this and shows it.
            try? Data("\(error)".utf8).write(to: Daemon.failure(state))
            throw ExitCode.failure
        }
    }
}
