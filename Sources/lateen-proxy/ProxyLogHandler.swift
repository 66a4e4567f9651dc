import Glibc
import Logging
import Synchronization

/// The level of all loggers of the process; the admin interface changes it.
final class LogLevel: Sendable {
    private let level: Mutex<Logger.Level>

    init(_ level: Logger.Level) { self.level = Mutex(level) }

    var current: Logger.Level { self.level.withLock { $0 } }

    /// `false` if the word is no level.
    func set(_ word: String) -> Bool {
        guard let level = Logger.Level(rawValue: word == "warn" ? "warning" : word) else { return false }
        self.level.withLock { $0 = level }
        return true
    }
}

/// Writes lines to standard error: time in UTC, level, message, metadata.
struct ProxyLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    private let label: String
    private let level: LogLevel

    init(label: String, level: LogLevel) {
        self.label = label
        self.level = level
    }

    var logLevel: Logger.Level {
        get { self.level.current }
        set { _ = self.level.set(newValue.rawValue) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(Self.timestamp())\t\(event.level.rawValue)\t\(self.label)\t\(event.message)"
        let all = self.metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        line += "\n"
        // One write, so that lines of several threads do not mix. Nothing can be said if it fails.
        var text = line
        _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// `2026-01-31T09:08:07.123456Z`
    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func padded(_ number: Int, _ count: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        let date = "\(parts.tm_year + 1900)-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let time = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(time).\(padded(now.tv_nsec / 1000, 6))Z"
    }
}

/// Sets logging up; called once by the command that runs.
func startLogging(_ level: LogLevel) {
    LoggingSystem.bootstrap { ProxyLogHandler(label: $0, level: level) }
}
