import ArgumentParser

/// Machines outside the cluster.
struct VM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm",
        abstract: "Bring machines outside the cluster into the mesh.",
        subcommands: [Bootstrap.self]
    )
}
