import ArgumentParser

/// Runs as a gateway at the edge of the mesh: for traffic that comes in, or that goes out.
struct RouterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "Run as an ingress or egress gateway.",
        discussion: WorkloadEnvironment.help
    )

    @Flag(inversion: .prefixedNo, help: "Answer DNS queries on 127.0.0.1:15053.")
    var dns = false

    @OptionGroup var flags: ProxyFlags

    func run() async throws { try await self.flags.run(role: .router, answersDNS: self.dns) }
}
