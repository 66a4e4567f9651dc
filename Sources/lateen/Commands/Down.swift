import ArgumentParser
import Foundation
import LocalPlatform

/// Stops the mesh on this machine.
struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop the mesh and remove every namespace, rule and process of it.",
        discussion: """
            Objects, keys, logs and databases stay in the state folder, so that the next `lateen up` goes on where this
            one ended; --purge deletes them too, and what other clusters of this machine know of this one: its address
            and its number are the next new cluster's. May be called twice, and after anything was killed.
            """
    )

    @OptionGroup var cluster: ClusterOption

    @Flag(help: "Delete the state folder as well.")
    var purge = false

    func run() async throws {
        let progress = Progress()
        do {
            try Preflight.checkRights()
            let state = self.cluster.state
            let teardown = Teardown(state: state)
            try await teardown.run { progress.tell($0) }
            if self.purge {
                for other in Daemon.running(besides: state) {
                    await RemoteSecrets(of: other, progress: progress).forget(state.cluster)
                }
                try teardown.purge()
            }
            progress.tell(self.purge ? "nothing is left, \(state.path) is deleted" : "nothing is left running")
        } catch {
            progress.fail("\(error)")
            throw ExitCode.failure
        }
    }
}
