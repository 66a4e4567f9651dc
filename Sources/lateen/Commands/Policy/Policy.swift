import ArgumentParser

/// Looks into the policy engine.
struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Try what the policy engine (the Mixer) makes of its configuration, and see how it decides.",
        subcommands: [PolicyEval.self, PolicyTraceCommand.self]
    )
}
