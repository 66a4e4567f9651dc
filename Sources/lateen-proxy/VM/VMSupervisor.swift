import Foundation
import Interception
import Logging
import MeshModel

/// Root's part on a machine: starts the proxy as a user of its own, leads traffic to it once it is ready, and puts all
/// back when it ends.
///
/// The two hold each other: the proxy's standard input is a pipe that closes with this process, and this process ends
/// with the proxy, so that whoever started it (an init system) starts both again.
struct VMSupervisor {
    let user: ProxyUser
    let flags: VMFlags
    /// What is to be led to the proxy now: the machine's DNS servers may change.
    let rules: @Sendable () throws -> InterceptionRules

    /// The proxy first needs a certificate and a configuration, for which the control plane must be reached.
    private static let readinessPoll = Duration.milliseconds(200)
    /// How long the proxy may take to end after its connections have, or should have.
    private static let endTime = Duration.seconds(10)
    private static let endPoll = Duration.milliseconds(50)
    /// How often the machine's DNS servers are looked at.
    private static let rulesPoll = Duration.seconds(2)

    func run() async throws {
        guard getuid() == 0 else { throw StartError("--intercept needs root") }
        let level = self.flags.runtime.log.level
        startLogging(level)
        let logger = Logger(label: "vm")
        let rules = try self.rules()
        try self.flags.prepare(for: self.user)
        let stop = StopSignal()
        let proxy = try self.start()
        logger.info("proxy started", metadata: ["user": "\(self.user.text)", "process": "\(proxy.processIdentifier)"])
        // A rule of a run that was killed would lead traffic to a proxy that is not ready.
        let installer = InterceptionInstaller()
        let coversIPv6 = rules.configuration.coversIPv6
        do {
            try installer.remove(coversIPv6: coversIPv6)
            let reason = try await self.supervise(proxy, stop, rules, installer, logger)
            logger.info("ending", metadata: ["reason": "\(reason)"])
            try installer.remove(coversIPv6: coversIPv6)
        } catch {
            // What went wrong first is what counts.
            try? installer.remove(coversIPv6: coversIPv6)
            await self.end(proxy, logger)
            throw error
        }
        await self.end(proxy, logger)
    }

    /// Asks the proxy to end, and makes it end if it does not: whoever waits for this process has a limit as well.
    private func end(_ proxy: Process, _ logger: Logger) async {
        if proxy.isRunning { proxy.terminate() }
        let limit = ContinuousClock.now + .seconds(self.flags.runtime.drainSeconds) + Self.endTime
        while proxy.isRunning, ContinuousClock.now < limit {
            // If this task is cancelled the proxy is ended at once.
            do { try await Task.sleep(for: Self.endPoll) } catch { break }
        }
        guard proxy.isRunning else { return }
        logger.warning("the proxy does not end, it is killed", metadata: ["process": "\(proxy.processIdentifier)"])
        kill(proxy.processIdentifier, SIGKILL)
    }

    private enum Event: Sendable {
        case ready
        case changed(InterceptionRules)
        case ended(Int32)
        case stopped(String)
    }

    /// Returns when it was told to stop.
    private func supervise(
        _ proxy: Process,
        _ stop: StopSignal,
        _ first: InterceptionRules,
        _ installer: InterceptionInstaller,
        _ logger: Logger
    ) async throws -> String {
        let (ends, end) = AsyncStream.makeStream(of: Int32.self)
        proxy.terminationHandler = { end.yield($0.terminationStatus) }
        if !proxy.isRunning { end.yield(proxy.terminationStatus) }
        return try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask { .stopped(await stop.wait()) }
            group.addTask {
                for await status in ends { return .ended(status) }
                throw CancellationError()
            }
            group.addTask {
                while try await !Self.isReady() { try await Task.sleep(for: Self.readinessPoll) }
                return .ready
            }
            defer { group.cancelAll() }
            while let event = try await group.next() {
                switch event {
                case .ready:
                    // The file may just be written anew: then those of a moment ago do, until it is whole.
                    let rules = (try? self.rules()) ?? first
                    try installer.install(rules)
                    logger.info("traffic goes through the proxy")
                    group.addTask { try await self.change(of: rules, logger) }
                case .changed(let rules):
                    try installer.install(rules)
                    logger.info("rules changed with the machine's DNS servers")
                    group.addTask { try await self.change(of: rules, logger) }
                case .ended(let status): throw StartError("the proxy ended with status \(status)")
                case .stopped(let reason): return reason
                }
            }
            return "cancelled"
        }
    }

    /// Waits until other rules are needed than these.
    private func change(of rules: InterceptionRules, _ logger: Logger) async throws -> Event {
        var saidThatItFails = false
        while true {
            try await Task.sleep(for: Self.rulesPoll)
            do {
                let next = try self.rules()
                if next.configuration != rules.configuration { return .changed(next) }
                saidThatItFails = false
            } catch {
                // A file that is being written is whole the next time; until then the rules stay.
                if !saidThatItFails { logger.warning("rules stay as they are", metadata: ["reason": "\(error)"]) }
                saidThatItFails = true
            }
        }
    }

    private static func isReady() async throws -> Bool {
        do {
            return try await LocalAdmin(port: Int(MeshPorts.ready)).ask("GET", "/healthz/ready").status == 200
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return false  // it does not listen yet
        }
    }

    /// This program again, with the same words but for interception.
    private func start() throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            CommandLine.arguments.dropFirst().filter { $0 != "--intercept" } + ["--supervised"]
        process.standardInput = Pipe()
        do { try process.run() } catch {
            throw StartError("cannot start the proxy: \(error.localizedDescription)")
        }
        return process
    }
}
