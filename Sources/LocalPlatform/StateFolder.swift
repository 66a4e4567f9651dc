package import Foundation

/// Where everything of one platform lies; its file names are the same wherever the folder is.
package struct StateFolder: Sendable, Hashable {
    package let url: URL
    /// The cluster that lives in it.
    package let cluster: String
    /// The folder of the first cluster; those of others lie beside it.
    package let home: URL

    /// - Parameters:
    ///   - home: the folder of the first cluster.
    ///   - cluster: whose folder is meant.
    package init(_ home: URL, cluster: String = PlatformNetwork.firstCluster) {
        self.home = home.standardizedFileURL
        self.cluster = cluster
        self.url =
            cluster == PlatformNetwork.firstCluster
            ? self.home : URL(fileURLWithPath: "\(self.home.path)-\(cluster)", isDirectory: true)
    }

    /// The folder named by `LATEEN_HOME`, else `/var/lib/lateen`; for another cluster than the first the folder
    /// `/var/lib/lateen-CLUSTER` beside it.
    package init(environment: [String: String], cluster: String = PlatformNetwork.firstCluster) {
        let path = environment["LATEEN_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/var/lib/lateen"
        self.init(URL(fileURLWithPath: path, isDirectory: true), cluster: cluster)
    }

    /// Folders of other clusters that were made beside this one's.
    package var siblings: [StateFolder] {
        let parent = self.home.deletingLastPathComponent()
        let prefix = self.home.lastPathComponent + "-"
        // What cannot be listed has no clusters in it.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
        return names.sorted().filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { PlatformNetwork.isClusterName($0) && $0 != self.cluster }
            .map { StateFolder(self.home, cluster: $0) }
            .filter { FileManager.default.fileExists(atPath: $0.settings.path) }
    }

    package var isOfFirst: Bool { self.cluster == PlatformNetwork.firstCluster }
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
