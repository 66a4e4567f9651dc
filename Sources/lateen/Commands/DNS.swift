import ArgumentParser

/// Looks into the DNS beside workloads.
struct DNS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dns",
        abstract: "Look into the DNS beside workloads.",
        subcommands: [DNSTrace.self, DNSVips.self]
    )
}
