import ArgumentParser
import Foundation
import LocalPlatform

/// Shows which other clusters the mesh has, and how well they are known.
struct RemoteClustersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote-clusters",
        abstract: "Show the other clusters of the mesh.",
        discussion: """
            A cluster is synced when all that it has is known, connecting until then, and in error while its API server
            does not answer; what was known of it then stays in use.
            """
    )

    @OptionGroup var cluster: ClusterChoice

    @Option(help: "The namespace of the control plane.")
    var istioNamespace = "istio-system"

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(name: .shortAndLong, help: "table or json.")
    var output = Format.table

    /// The page `debug/clusterz` of the control plane.
    private struct Page: Decodable {
        struct Cluster: Decodable {
            var name: String
            var secret: String
            var server: String
            var state: String
            var isKnown: Bool
            var fault: String?
        }

        var clusters: [Cluster]
    }

    func run() throws {
        let data = try self.cluster.kubectl.exec(
            "deploy/istiod",
            namespace: self.istioNamespace,
            container: "discovery",
            ["lateen-control", "request", "debug/clusterz"]
        )
        if self.output == .json {
            FileHandle.standardOutput.write(data)
            return
        }
        let clusters = try JSONDecoder().decode(Page.self, from: data).clusters
        guard !clusters.isEmpty else {
            print("no other clusters; a remote secret adds one: see lateen create-remote-secret")
            return
        }
        var table = TextTable("NAME", "SECRET", "STATUS", "SERVER")
        for cluster in clusters { table.add(cluster.name, cluster.secret, cluster.state, cluster.server) }
        print(table.text, terminator: "")
        for cluster in clusters {
            guard let fault = cluster.fault else { continue }
            let use = cluster.isKnown ? "what it had when it last answered stays in use" : "nothing is known of it"
            print("\n\(cluster.name): \(fault); \(use)")
        }
    }
}

/// A cluster of this machine, or any that `KUBECONFIG` leads to.
struct ClusterChoice: ParsableArguments {
    @Option(
        help: ArgumentHelp("A cluster of this machine; without it the one that KUBECONFIG names.", valueName: "name")
    )
    var cluster: String?

    func validate() throws {
        guard self.cluster.map(PlatformNetwork.isClusterName) ?? true else {
            throw ValidationError("--cluster: `\(self.cluster ?? "")` is no name of a cluster")
        }
    }

    var kubectl: Kubectl {
        guard let cluster else { return Kubectl() }
        return Kubectl(StateFolder(environment: ProcessInfo.processInfo.environment, cluster: cluster))
    }
}
