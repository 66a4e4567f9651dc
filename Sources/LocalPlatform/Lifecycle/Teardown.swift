import Foundation
import Glibc

/// Stops the platform and removes every trace of it, whatever state it is in.
package struct Teardown: Sendable {
    /// The daemon ends the outside hosts first, and a database takes its time.
    private static let patience: Duration = .seconds(20)

    let state: StateFolder

    package init(state: StateFolder) { self.state = state }

    /// May be called at any time and any number of times; `tell` hears what is being done.
    package func run(tell: (String) -> Void) async throws {
        if let daemon = Daemon.running(self.state) {
            tell("stopping the platform (pid \(daemon.pid))")
            daemon.signal(SIGTERM)
            if await !daemon.ended(within: Self.patience) {
                daemon.signal(SIGKILL)
                _ = await daemon.ended(within: .seconds(5))
            }
        }
        if let other = Daemon.otherRunning(self.state) {
            tell("a platform runs on \(other); its namespaces and rules are left alone")
        } else {
            // Without settings nothing was ever made, or all of it is removed; the name tells the rest.
            let network =
                (try? PlatformSettings.read(self.state))?.network(of: self.state)
                ?? PlatformNetwork(cluster: self.state.cluster, index: self.state.isOfFirst ? 0 : 1)
            try await self.killLeftovers(network)
            if let machine = ClusterMachine(network) {
                // Rules, bridges and routes of the cluster are in there.
                try await HostNetwork.removeNamespaces(network)
                try await machine.remove()
                HostNetwork.putBack(after: self.state)
            } else {
                try await HostRules.removeAll()
                try await HostNetwork.removeAll(state: self.state, network: network)
            }
            Daemon.removeOwner(self.state)
        }
        for file in [self.state.daemonPid, self.state.ready, Daemon.failure(self.state)] {
            try? FileManager.default.removeItem(at: file)
        }
        try? FileManager.default.removeItem(at: self.state.pods)
    }

    /// Processes that still live in one of our network namespaces. There are none unless something went wrong: they
    /// all die with the daemon.
    private func killLeftovers(_ network: PlatformNetwork) async throws {
        guard Tool.find("ip") != nil else { return }
        for _ in 0..<20 {
            var pids: [Int32] = []
            for line in try await Tool.run(["ip", "netns", "list"]).split(separator: "\n") {
                let name = String(line.prefix { $0 != " " })
                let isMachine = !network.isFirst && name == network.machineNamespace
                guard isMachine || name.hasPrefix(network.namespacePrefix) else { continue }
                let listed = (try? await Tool.run(["ip", "netns", "pids", name])) ?? ""
                pids += listed.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
            }
            if pids.isEmpty { return }
            for pid in pids { kill(pid, SIGKILL) }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Removes the state folder: objects, keys, logs, databases.
    package func purge() throws {
        guard FileManager.default.fileExists(atPath: self.state.path) else { return }
        // A folder that somebody named by mistake must not be emptied.
        let names = try FileManager.default.contentsOfDirectory(atPath: self.state.path)
        let isOurs = names.isEmpty || names.contains(self.state.run.lastPathComponent)
        guard isOurs else {
            throw PlatformError("\(self.state.path) does not look like a state folder of lateen; remove it by hand")
        }
        try FileManager.default.removeItem(at: self.state.url)
    }
}
