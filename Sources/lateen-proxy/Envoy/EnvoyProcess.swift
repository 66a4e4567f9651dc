import Foundation
import Glibc
import Logging
import Synchronization

/// Envoy as a child: started once, ended with the agent.
final class EnvoyProcess: Sendable {
    /// Says why no Envoy was found.
    static func find(_ path: String?, _ environment: [String: String]) throws -> String {
        if let path = path ?? environment["ENVOY_BINARY"].flatMap({ $0.isEmpty ? nil : $0 }) {
            guard access(path, X_OK) == 0 else { throw StartError("\(path) is no program that can be run") }
            return path
        }
        for folder in (environment["PATH"] ?? "").split(separator: ":") {
            let candidate = "\(folder)/envoy"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw StartError("there is no envoy on PATH; --envoy-binary or ENVOY_BINARY says where it is")
    }

    private let process: Mutex<Process>
    private let ended: (stream: AsyncStream<Int32>, continuation: AsyncStream<Int32>.Continuation)
    private let logger: Logger

    init(binary: String, configuration: String, concurrency: Int, drainSeconds: Int, level: String, logger: Logger) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = [
            "-c", configuration, "--concurrency", "\(concurrency)", "--log-level", level,
            "--drain-time-s", "\(max(1, drainSeconds))", "--parent-shutdown-time-s", "\(max(2, drainSeconds + 1))",
            // Several Envoys may stand on one machine, and none is restarted hot. A person who looks into the access
            // log shall not wait ten seconds for a line.
            "--disable-hot-restart", "--file-flush-interval-msec", "1000", "--local-address-ip-version", "v4",
        ]
        process.standardInput = FileHandle.nullDevice
        self.process = Mutex(process)
        self.ended = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
        self.logger = logger
    }

    func start() throws {
        let continuation = self.ended.continuation
        try self.process.withLock { process in
            process.terminationHandler = {
                continuation.yield($0.terminationStatus)
                continuation.finish()
            }
            try process.run()
        }
    }

    /// The status with which it ends; 0 if this task is cancelled before.
    func wait() async -> Int32 {
        for await status in self.ended.stream { return status }
        return 0
    }

    /// Asks it to end, and makes it end if it does not.
    func stop() async {
        let process = self.process.withLock { process -> pid_t? in
            guard process.isRunning else { return nil }
            process.terminate()
            return process.processIdentifier
        }
        guard let process else { return }
        for _ in 0..<50 {
            // It is over sooner in nearly all cases; if this task is cancelled, Envoy is ended at once.
            guard self.process.withLock({ $0.isRunning }) else { return }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
        }
        self.logger.warning("envoy does not end, it is killed")
        kill(process, SIGKILL)
    }
}
