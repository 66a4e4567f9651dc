import ArgumentParser
import ProxyRuntime

/// The data plane: beside a workload, or on its own from a file.
@main
struct LateenProxy: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "lateen-proxy",
        abstract: "Carries the traffic of a workload.",
        version: Self.version,
        subcommands: [
            SidecarCommand.self, RouterCommand.self, VMCommand.self, RunCommand.self, DNSCommand.self,
            InterceptionCommand.self, RequestCommand.self, VersionCommand.self,
        ]
    )

    static func main() async {
        OpenFiles.raiseLimit()
        await Self.main(nil)
    }
}

/// Prints the version.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("lateen-proxy \(LateenProxy.version)") }
}
