import ArgumentParser

/// Runs beside a workload, configured by a control plane.
struct SidecarCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sidecar",
        abstract: "Run beside a workload.",
        discussion: WorkloadEnvironment.help
    )

    @Flag(inversion: .prefixedNo, help: "Answer DNS queries on 127.0.0.1:15053.")
    var dns = true

    @OptionGroup var flags: ProxyFlags

    func run() async throws { try await self.flags.run(role: .sidecar, answersDNS: self.dns) }
}
