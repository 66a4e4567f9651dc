package import Foundation
import Glibc

/// Makes sure that there is one daemon for a state folder: the lock goes with the process that holds it.
package struct DaemonLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock; throws if another process has it.
    package init(_ state: StateFolder) throws {
        self.descriptor = open(state.lock.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard self.descriptor >= 0 else {
            throw PlatformError("cannot open \(state.lock.path): \(String(cString: strerror(errno)))")
        }
        guard flock(self.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(self.descriptor)
            throw PlatformError("another lateen platform runs on \(state.path); see `lateen status`")
        }
    }

    deinit { close(self.descriptor) }
}

/// The running daemon, as its pid file tells.
package enum Daemon {
    /// The daemon of a state folder, if it is alive.
    package static func running(_ state: StateFolder) -> ProcessIdentity? {
        guard let text = try? String(contentsOf: state.daemonPid, encoding: .utf8),
            let identity = ProcessIdentity(pidFileText: text), identity.isAlive
        else { return nil }
        return identity
    }

    /// Other clusters of the same home that run now, by name.
    package static func running(besides state: StateFolder) -> [StateFolder] {
        let others = [StateFolder(state.home)] + StateFolder(state.home).siblings
        return others.filter { $0.cluster != state.cluster && Self.running($0) != nil }
    }

    /// Writes the pid file of this process.
    package static func writePidFile(_ state: StateFolder) throws {
        guard let own = ProcessIdentity(pid: getpid()) else { throw PlatformError("cannot read /proc/self/stat") }
        try Data("\(own)\n".utf8).write(to: state.daemonPid, options: .atomic)
        // Bridges and rules have the same names whatever the state folder is, so it is known which daemon they belong to.
        try Data("\(own) \(state.path)\n".utf8).write(to: Self.owner(state), options: .atomic)
    }

    /// Clusters of different names do not meet.
    private static func owner(_ state: StateFolder) -> URL {
        let isFirst = state.cluster == PlatformNetwork.firstCluster
        return URL(fileURLWithPath: "/run/lateen\(isFirst ? "" : ".\(state.cluster)").owner")
    }

    /// The state folder of another daemon that runs on this machine.
    package static func otherRunning(_ state: StateFolder) -> String? {
        // Without the file no daemon runs.
        guard let text = try? String(contentsOf: Self.owner(state), encoding: .utf8) else { return nil }
        let words = text.split(maxSplits: 2, whereSeparator: \.isWhitespace)
        guard words.count == 3, let identity = ProcessIdentity(pidFileText: "\(words[0]) \(words[1])"), identity.isAlive
        else { return nil }
        let path = words[2].trimmingCharacters(in: .whitespacesAndNewlines)
        return path == state.path ? nil : path
    }

    package static func removeOwner(_ state: StateFolder) {
        // What is left of it names a process that is gone, and counts for nothing.
        try? FileManager.default.removeItem(at: Self.owner(state))
    }

    /// Starts the daemon in a session of its own; its output goes to its log. `command` is the program with its arguments.
    package static func start(_ command: [String], state: StateFolder) throws -> ProcessIdentity {
        for file in [state.ready, Self.failure(state)] { try? FileManager.default.removeItem(at: file) }
        var environment = ProcessInfo.processInfo.environment
        environment["LATEEN_HOME"] = state.home.path
        let pid = try DaemonProcess.spawn(
            program: command.first ?? "",
            arguments: Array(command.dropFirst()),
            environment: environment,
            log: state.daemonLog.path
        )
        guard let identity = ProcessIdentity(pid: pid) else {
            throw PlatformError("the platform ended at once; see \(state.daemonLog.path)")
        }
        return identity
    }

    /// Where the daemon says why it could not start.
    package static func failure(_ state: StateFolder) -> URL { state.run.appendingPathComponent("failure") }
}
