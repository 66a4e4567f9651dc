import ArgumentParser
import Foundation
import LocalPlatform

/// Prints the gateway by which other networks reach a cluster.
struct EastWestGateway: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "east-west-gateway",
        abstract: "Print the manifests of a cluster's gateway for other clusters.",
        discussion: """
            The gateway leads mutual TLS on to the service that its server name spells, without reading it:

              lateen east-west-gateway --cluster west | kubectl apply -f -
            """
    )

    @Option(help: "The name of the cluster's network: the label `topology.istio.io/network` of namespace istio-system.")
    var network: String?

    @Option(help: ArgumentHelp("A cluster of this machine, whose network has its name.", valueName: "name"))
    var cluster: String?

    func validate() throws {
        guard (self.network == nil) != (self.cluster == nil) else {
            throw ValidationError("say which network the gateway is for: --network NAME or --cluster NAME")
        }
        guard PlatformNetwork.isClusterName(self.network ?? self.cluster ?? "") else {
            throw ValidationError("`\(self.network ?? self.cluster ?? "")` is no name of a network")
        }
    }

    func run() throws {
        let file = "\(try Installation().deployFolder)/many-clusters/east-west-gateway.yaml"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw CommandFailure(description: "cannot read \(file): does LATEEN_DEPLOY name a folder of this version?")
        }
        print(text.replacingOccurrences(of: "${NETWORK}", with: self.network ?? self.cluster ?? ""), terminator: "")
    }
}
