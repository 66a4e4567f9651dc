package import Foundation

/// Where everything of one platform lies; its file names are the same wherever the folder is.
package struct StateFolder: Sendable, Hashable {
    package let url: URL

    package init(_ url: URL) { self.url = url.standardizedFileURL }

    /// The folder named by `LATEEN_HOME`, else `/var/lib/lateen`.
    package init(environment: [String: String]) {
        let path = environment["LATEEN_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/var/lib/lateen"
        self.init(URL(fileURLWithPath: path, isDirectory: true))
    }

    package var path: String { self.url.path }
    package var kubeconfig: URL { self.url.appendingPathComponent("kubeconfig") }
    package var pki: URL { self.url.appendingPathComponent("pki") }
    package var logs: URL { self.url.appendingPathComponent("logs") }
    package var run: URL { self.url.appendingPathComponent("run") }
    package var daemonLog: URL { self.logs.appendingPathComponent("platform.log") }
    package var daemonPid: URL { self.run.appendingPathComponent("platform.pid") }
    package var lock: URL { self.run.appendingPathComponent("lock") }
    /// Written by the daemon when all of its parts are up; removed when it starts.
    package var ready: URL { self.run.appendingPathComponent("ready") }
    /// What the daemon was told at `up`, for `status` and for repairing.
    package var settings: URL { self.run.appendingPathComponent("settings.json") }
    package var addresses: URL { self.run.appendingPathComponent("addresses.json") }
    package var pods: URL { self.run.appendingPathComponent("pods") }
    package var podLogs: URL { self.logs.appendingPathComponent("pods") }
    package var outside: URL { self.url.appendingPathComponent("outside") }

    /// The folder of one pod's volumes and generated files.
    package func pod(uid: String) -> URL { self.pods.appendingPathComponent(uid) }

    /// Makes the folders that must exist before anything starts; keys lie in them, so only root may look.
    package func create() throws {
        for folder in [self.url, self.logs, self.run, self.pods, self.podLogs, self.outside] {
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: folder == self.url ? 0o711 : 0o755]
            )
        }
    }
}
