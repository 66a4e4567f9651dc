internal import SwiftProtobuf
internal import XDSAPI

/// Who a proxy is, as it says to its control plane.
package struct NodeIdentity: Sendable, Hashable {
    /// `sidecar~10.213.1.5~sleep-abc.default~default.svc.cluster.local`
    package var id: String
    /// The workload's name, for people.
    package var cluster: String
    package var namespace: String
    package var labels: [String: String]
    package var addresses: [String]
    package var version: String
    /// More that the control plane may ask for: `SERVICE_ACCOUNT`, `CLUSTER_ID` and others of Istio's names.
    package var metadata: [String: String]

    package init(
        id: String,
        cluster: String,
        namespace: String,
        labels: [String: String],
        addresses: [String],
        version: String,
        metadata: [String: String] = [:]
    ) {
        self.id = id
        self.cluster = cluster
        self.namespace = namespace
        self.labels = labels
        self.addresses = addresses
        self.version = version
        self.metadata = metadata
    }

    var message: Envoy_Config_Core_V3_Node {
        .with {
            $0.id = self.id
            $0.cluster = self.cluster
            $0.userAgentName = "lateen-proxy"
            $0.userAgentVersion = self.version
            for (key, value) in self.metadata where !value.isEmpty {
                $0.metadata.fields[key] = Google_Protobuf_Value(stringValue: value)
            }
            $0.metadata.fields[NodeMetadata.nameTable] = Google_Protobuf_Value(stringValue: NodeMetadata.shards)
            $0.metadata.fields["NAMESPACE"] = Google_Protobuf_Value(stringValue: self.namespace)
            $0.metadata.fields["INSTANCE_IPS"] = Google_Protobuf_Value(
                stringValue: self.addresses.joined(separator: ",")
            )
            $0.metadata.fields["LABELS"] = Google_Protobuf_Value(
                structValue: Google_Protobuf_Struct(
                    fields: self.labels.mapValues { Google_Protobuf_Value(stringValue: $0) }
                )
            )
        }
    }
}
