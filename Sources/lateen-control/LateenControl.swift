import ArgumentParser

/// The control plane: watches the cluster, configures proxies, injects sidecars.
@main
struct LateenControl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lateen-control",
        abstract: "The control plane of the mesh.",
        version: version,
        subcommands: [
            DiscoveryCommand.self, MixerCommand.self, RequestCommand.self, AutoscalerCommand.self,
            ActivatorCommand.self, KnativeAdapterCommand.self,
        ],
        defaultSubcommand: DiscoveryCommand.self
    )

    static let version = "0.1.0"
}
