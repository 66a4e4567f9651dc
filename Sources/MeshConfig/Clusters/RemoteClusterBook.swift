package import KubernetesAPI

import struct Foundation.Data

/// Which clusters the mesh has besides ours, as Secrets with the label `istio/multiCluster: "true"` say: each key is the
/// name of a cluster, its value a kubeconfig. Says what to do when they change, and does nothing itself.
package struct RemoteClusterBook: Sendable {
    package static let label = "istio/multiCluster"

    package struct Entry: Hashable, Sendable {
        package var name: String
        package var secret: ObjectKey
        package var kubeconfig: String
    }

    package enum Step: Hashable, Sendable {
        /// Connect; an earlier connection ends, what it told stays until the new one tells more.
        case connect(Entry)
        /// Forget the cluster.
        case remove(String)
    }

    /// Clusters that are connected, by name.
    package private(set) var entries: [String: Entry] = [:]
    /// Why parts of Secrets are not used.
    package private(set) var complaints: [String] = []
    private let ownName: String
    private var secrets: [ObjectKey: [String: String]] = [:]

    /// - Parameter ownName: the name of our cluster, which needs no connection.
    package init(ownName: String) { self.ownName = ownName }

    package mutating func apply(_ change: ObjectChange) -> [Step] {
        switch change {
        case .replacedAll(let objects):
            self.secrets = Dictionary(objects.map { ($0.key, Self.texts($0)) }, uniquingKeysWith: { $1 })
        case .added(let object), .modified(let object): self.secrets[object.key] = Self.texts(object)
        case .deleted(let object): self.secrets[object.key] = nil
        }
        return self.settle()
    }

    private mutating func settle() -> [Step] {
        var wanted: [String: Entry] = [:]
        self.complaints = []
        for (key, texts) in self.secrets.sorted(by: { $0.key < $1.key }) {
            for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
                if name == self.ownName {
                    self.complaints.append("Secret \(key): `\(name)` is this cluster itself")
                } else if let other = wanted[name] {
                    self.complaints.append(
                        "Secret \(key): cluster `\(name)` is named by Secret \(other.secret) already"
                    )
                } else {
                    wanted[name] = Entry(name: name, secret: key, kubeconfig: text)
                }
            }
        }
        let gone = self.entries.keys.filter { wanted[$0] == nil }.sorted()
        let changed = wanted.values.filter { self.entries[$0.name]?.kubeconfig != $0.kubeconfig }
        self.entries = wanted
        return gone.map(Step.remove) + changed.sorted { $0.name < $1.name }.map(Step.connect)
    }

    private static func texts(_ secret: KubernetesObject) -> [String: String] {
        (secret.json["data"]?.stringMap ?? [:]).compactMapValues { value in
            Data(base64Encoded: value).map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
