import ArgumentParser

/// Looks into the policy engine's configuration.
struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Try what the policy engine (the Mixer) would make of its configuration.",
        subcommands: [PolicyEval.self]
    )
}
