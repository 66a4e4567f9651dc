import ArgumentParser
import Foundation
import LocalPlatform

/// Prints where the kubeconfig is.
struct KubeconfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig",
        abstract: "Print the path of the kubeconfig: export KUBECONFIG=$(lateen kubeconfig)"
    )

    @OptionGroup var cluster: ClusterOption

    func run() throws {
        let state = self.cluster.state
        print(state.kubeconfig.path)
        guard FileManager.default.fileExists(atPath: state.kubeconfig.path) else {
            FileHandle.standardError.write(Data("lateen: the file is not there yet; `lateen up` writes it\n".utf8))
            throw ExitCode.failure
        }
    }
}
