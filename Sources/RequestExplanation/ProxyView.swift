import MeshModel
import MeshSubscribe
import MeshTranslate
import SwiftProtobuf
import TrafficEngine
import XDSAPI

/// What one proxy works by: made from the snapshot by the same code that makes it for the real one.
struct ProxyView {
    let key: ProxyKey
    let state: ProxyState
    let names: [String: [IPAddress]]

    init(_ key: ProxyKey, in snapshot: MeshSnapshot) {
        self.key = key
        let resources = Translator.resources(of: key, in: snapshot)
        var builder = StateBuilder(
            workload: OwnWorkload(name: key.workload.name, namespace: key.workload.namespace)
        )
        _ = builder.setClusters(Self.packed(resources.clusters), version: "")
        _ = builder.setEndpoints(Self.packed(resources.endpoints), version: "")
        _ = builder.setListeners(Self.packed(resources.listeners), version: "")
        _ = builder.setRoutes(Self.packed(resources.routes), version: "")
        self.state = builder.makeState()
        self.names = resources.nameTable.table.mapValues { $0.ips.compactMap { IPAddress($0) } }
    }

    private static func packed(_ messages: [some Message]) -> [Google_Protobuf_Any] {
        // Our own messages of proto3 always encode.
        messages.compactMap { try? Google_Protobuf_Any(message: $0) }
    }

    var title: String {
        "\(self.key.workload.name).\(self.key.workload.namespace) (\(self.key.role == .router ? "gateway" : "sidecar"))"
    }

    /// The entry of the name table that a client's resolver finds for what it asks: the name itself or with one of the
    /// pod's search domains.
    func lookUp(_ host: String) -> (name: String, addresses: [IPAddress])? {
        var candidates = [host]
        let domain = self.key.dnsDomain
        let parts = domain.split(separator: ".", maxSplits: 1)
        candidates.append("\(host).\(domain)")
        if parts.count == 2 {
            candidates.append("\(host).\(parts[1])")
            if let cluster = parts[1].split(separator: ".", maxSplits: 1).last {
                candidates.append("\(host).\(cluster)")
            }
        }
        for name in candidates {
            if let addresses = self.names[name] { return (name, addresses) }
        }
        return nil
    }

    func cluster(named name: String) -> Cluster? { self.state.clusters.compactMap { $0 }.first { $0.name == name } }

    func listener(named name: String) -> Listener? { self.state.listeners.first { $0.name == name } }
}
