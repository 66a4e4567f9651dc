import Foundation
import Glibc

/// A process that cannot be mistaken for a later one with the same pid: the pid and the moment it started.
package struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    package let pid: Int32
    /// Clock ticks since boot, field 22 of `/proc/PID/stat`.
    package let startTicks: UInt64

    package var description: String { "\(self.pid) \(self.startTicks)" }

    /// The process that has this pid now; `nil` if there is none.
    package init?(pid: Int32) {
        guard let stat = ProcFile.read("/proc/\(pid)/stat"),
            let ticks = Self.startTicks(inStat: stat)
        else { return nil }
        self.pid = pid
        self.startTicks = ticks
    }

    /// Parses what `description` wrote into a pid file.
    package init?(pidFileText: String) {
        let words = pidFileText.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let pid = Int32(words[0]), pid > 1, let ticks = UInt64(words[1]) else { return nil }
        self.pid = pid
        self.startTicks = ticks
    }

    /// Whether this very process still exists, and is not just waiting to be reaped.
    package var isAlive: Bool {
        guard let stat = ProcFile.read("/proc/\(self.pid)/stat") else { return false }
        return Self.startTicks(inStat: stat) == self.startTicks && !Self.isZombie(stat: stat)
    }

    /// Signals it, and nobody else that may have its pid now.
    package func signal(_ number: Int32) {
        guard self.isAlive else { return }
        _ = kill(self.pid, number)
    }

    /// Waits for the end of a process that need not be a child.
    package func ended(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while self.isAlive {
            if ContinuousClock.now > deadline { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// The command's name is in parentheses and may hold anything, so fields are counted from the last one.
    package static func startTicks(inStat stat: String) -> UInt64? {
        let fields = Self.fieldsAfterName(stat)
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    private static func isZombie(stat: String) -> Bool { Self.fieldsAfterName(stat).first == "Z" }

    private static func fieldsAfterName(_ stat: String) -> [Substring] {
        guard let end = stat.lastIndex(of: ")") else { return [] }
        return stat[stat.index(after: end)...].split(separator: " ")
    }
}
