import Glibc
import MeshModel

/// Puts rules onto the host and takes them away again.
package enum HostRules {
    /// Replaces our chains and makes sure that the host's chains jump to them. `stale` are chains of Services that
    /// are gone; they are emptied and removed.
    static func apply(_ rules: ServiceRules, stale: Set<String>) async throws {
        try await Tool.run(["iptables-restore", "--noflush", "-w", "5"], input: rules.restoreInput)
        for (table, chain, target) in ServiceRules.jumps {
            if (try? await Tool.run(["iptables", "-w", "5", "-t", table, "-C", chain, "-j", target])) == nil {
                // First, so that another firewall's rules do not decide before.
                try await Tool.run(["iptables", "-w", "5", "-t", table, "-I", chain, "1", "-j", target])
            }
        }
        guard !stale.isEmpty else { return }
        let lines = stale.sorted().map { ":\($0) - [0:0]" } + stale.sorted().map { "-X \($0)" }
        try await Tool.run(
            ["iptables-restore", "--noflush", "-w", "5"],
            input: "*nat\n" + lines.joined(separator: "\n") + "\nCOMMIT\n"
        )
    }

    /// Removes every jump and chain of ours, also those of an earlier run.
    package static func removeAll() async throws {
        guard Tool.find("iptables-save") != nil else { return }
        for table in ["nat", "filter", "mangle", "raw"] { try await Self.removeAll(from: table) }
    }

    /// Another program may change rules between the look and the removal; then it is looked again.
    private static func removeAll(from table: String) async throws {
        for attempt in 1...3 {
            let saved = (try? await Tool.run(["iptables-save", "-t", table])) ?? ""
            guard let text = Self.removal(of: saved, table: table) else { return }
            do {
                try await Tool.run(["iptables-restore", "--noflush", "-w", "5"], input: text)
                return
            } catch  where attempt < 3 {}
        }
    }

    /// The restore text that deletes all that is ours in the output of `iptables-save`; `nil` if there is nothing.
    package static func removal(of saved: String, table: String) -> String? {
        let lines = saved.split(separator: "\n")
        let chains = lines.filter { $0.hasPrefix(":LATEEN-") }.map { String($0.dropFirst().prefix { $0 != " " }) }
        let jumps = lines.filter { line in
            line.hasPrefix("-A ") && !line.hasPrefix("-A LATEEN-") && line.contains("-j LATEEN-")
        }
        guard !chains.isEmpty || !jumps.isEmpty else { return nil }
        let all =
            ["*\(table)"] + chains.map { ":\($0) - [0:0]" } + jumps.map { "-D " + $0.dropFirst(3) }
            + chains.map { "-X \($0)" } + ["COMMIT"]
        return all.joined(separator: "\n") + "\n"
    }
}
