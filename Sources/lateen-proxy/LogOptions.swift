import ArgumentParser
import Logging

/// Flags of commands that log.
struct LogOptions: ParsableArguments {
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard LogLevel(.info).set(self.logLevel) else {
            throw ValidationError(
                "--log-level \(self.logLevel) is none of trace, debug, info, notice, warning, error, critical."
            )
        }
    }

    var level: LogLevel {
        let level = LogLevel(.info)
        _ = level.set(self.logLevel)
        return level
    }
}
