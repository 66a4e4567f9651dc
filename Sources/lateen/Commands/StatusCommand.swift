import ArgumentParser
import Foundation
import KubernetesAPI
import LocalPlatform

/// Shows whether the mesh on this machine runs.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether the mesh runs, and its pods.",
        discussion: "Ends with 0 if all is ready, 1 if something is not, 3 if the platform does not run."
    )

    @OptionGroup var cluster: ClusterOption

    func run() async throws {
        let state = self.cluster.state
        guard let daemon = Daemon.running(state) else {
            print("the platform does not run (state folder \(state.path)); start it with: lateen up\(self.flag)")
            throw ExitCode(3)
        }
        print("platform   running, pid \(daemon.pid), state folder \(state.path)")
        guard FileManager.default.fileExists(atPath: state.ready.path) else {
            print("           starting; see \(state.daemonLog.path)")
            throw ExitCode.failure
        }
        let late = (try? String(contentsOf: state.ready, encoding: .utf8)) ?? ""
        if !late.isEmpty { print("outside    \(late)") }
        do {
            try await self.showPods(state)
        } catch let error as KubernetesError {
            print("API server \(error)")
            throw ExitCode.failure
        }
    }

    private var flag: String {
        self.cluster.cluster == PlatformNetwork.firstCluster ? "" : " --cluster \(self.cluster.cluster)"
    }

    private func showPods(_ state: StateFolder) async throws {
        let configuration = try ClientConfiguration.kubeconfig(path: state.kubeconfig.path)
        let client = try state.client("status")
        let pods: [KubernetesObject]
        do {
            pods = try await client.list(.pods).items
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
        print("API server \(configuration.server), export KUBECONFIG=\(state.kubeconfig.path)")
        var allReady = true
        for object in pods.sorted(by: { $0.key < $1.key }) {
            guard let pod: Pod = try? object.decode() else { continue }
            let ready = pod.status.containerStatuses.filter(\.ready).count
            let isReady = pod.status.isReady || pod.status.phase == "Succeeded"
            allReady = allReady && isReady
            let mark = isReady ? "ready    " : "NOT READY"
            print(
                "pod        \(mark) \(object.key) \(ready)/\(pod.spec.containers.count) "
                    + "\(pod.status.phase ?? "Pending") \(pod.status.podIP ?? "")"
            )
        }
        if !allReady { throw ExitCode.failure }
    }
}
