import MeshModel
import SwiftProtobuf
import XDSAPI

/// What clusters say of revisions, in metadata of ours that Envoy passes over.
enum ActivationMetadata {
    /// The pods of a revision stand behind the cluster.
    private static let activation = "dev.lateen.activation"
    /// The proxy's own pod stands behind it. Under another name, as proxies that know only the first would wait for pods.
    private static let pod = "dev.lateen.pod"
    /// Activators stand behind the cluster.
    private static let reporter = "dev.lateen.reporter"

    static func set(_ activation: RevisionActivation, on cluster: inout Envoy_Config_Cluster_V3_Cluster) {
        let name =
            switch activation.side {
            case .callers: self.activation
            case .pod: self.pod
            }
        cluster.metadata.filterMetadata[name] = .with {
            $0.fields["namespace"] = .with { $0.stringValue = activation.revision.namespace }
            $0.fields["revision"] = .with { $0.stringValue = activation.revision.name }
            $0.fields["concurrency"] = .with { $0.numberValue = Double(activation.concurrencyMax) }
            if activation.asksPods { $0.fields["probe"] = .with { $0.stringValue = "connect" } }
        }
    }

    static func setReporter(on cluster: inout Envoy_Config_Cluster_V3_Cluster) {
        cluster.metadata.filterMetadata[self.reporter] = Google_Protobuf_Struct()
    }
}
