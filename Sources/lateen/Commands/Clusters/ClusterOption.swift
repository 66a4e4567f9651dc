import ArgumentParser
import Foundation
import KubernetesAPI
import LocalPlatform
import Logging

/// Which of the clusters of this machine a command is about.
struct ClusterOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A cluster of this machine; without it the first one, which is called \(PlatformNetwork.firstCluster).",
            valueName: "name"
        )
    )
    var cluster = PlatformNetwork.firstCluster

    func validate() throws {
        guard PlatformNetwork.isClusterName(self.cluster) else {
            throw ValidationError(
                "--cluster: `\(self.cluster)` is no name of a cluster: up to 30 small letters, digits and -"
            )
        }
    }

    var state: StateFolder { StateFolder(environment: ProcessInfo.processInfo.environment, cluster: self.cluster) }
}

extension StateFolder {
    /// A client of the cluster that lives in the folder; the caller shuts it down.
    func client(_ label: String) throws -> KubernetesClient {
        try KubernetesClient(
            configuration: try ClientConfiguration.kubeconfig(path: self.kubeconfig.path),
            logger: Logger(label: label) { _ in SwiftLogNoOpLogHandler() }
        )
    }
}
