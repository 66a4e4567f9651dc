/// Sets up and removes the rules in the network namespace of this process, by the system's own programs.
package struct InterceptionInstaller: Sendable {
    /// Words put before each program, for example to enter another namespace (`ip netns exec NAME`).
    package var prefix: [String]

    package init(prefix: [String] = []) {
        self.prefix = prefix
    }

    /// Brings the rules into force, in place of those of an earlier call.
    ///
    /// - Throws: `programMissing` or `programFailed`, with what the program said. Each family is changed as a whole
    ///   or not at all.
    package func install(_ rules: InterceptionRules) throws(InterceptionError) {
        let coversIPv6 = rules.configuration.coversIPv6
        let input = rules.restoreInput(replacing: try self.saved(coversIPv6: coversIPv6))
        try self.restore("iptables-restore", input.v4)
        try self.restore("ip6tables-restore", input.v6)
    }

    /// Takes out everything that `install` put in; calling it again changes nothing.
    package func remove(coversIPv6: Bool = true) throws(InterceptionError) {
        let input = try self.saved(coversIPv6: coversIPv6).cleanup()
        try self.restore("iptables-restore", input.v4)
        try self.restore("ip6tables-restore", input.v6)
    }

    /// What is set up now.
    package func saved(coversIPv6: Bool = true) throws(InterceptionError) -> SavedRules {
        SavedRules(
            v4: try self.run(["iptables-save"], input: ""),
            v6: coversIPv6 ? try self.run(["ip6tables-save"], input: "") : ""
        )
    }

    private func restore(_ program: String, _ input: String) throws(InterceptionError) {
        guard !input.isEmpty else { return }
        // `-w`: wait for another program that changes rules just now, instead of failing.
        _ = try self.run([program, "--noflush", "-w", "5"], input: input)
    }

    private func run(_ words: [String], input: String) throws(InterceptionError) -> String {
        let command = Command(words: self.prefix + words)
        let result: Command.Result
        do {
            result = try command.run(input: input)
        } catch {
            throw InterceptionError(
                code: .programMissing,
                message: "cannot run \(words[0]): \(error.reason); is the package iptables installed?"
            )
        }
        guard result.status == 0 else {
            let said = result.errors.split(separator: "\n").prefix(3).joined(separator: "; ")
            let isForbidden = said.contains("Permission denied") || said.contains("Operation not permitted")
            throw InterceptionError(
                code: .programFailed,
                message:
                    "\(words[0]) failed: \(said)\(isForbidden ? "; it needs root or the NET_ADMIN capability" : "")"
            )
        }
        return result.output
    }
}
