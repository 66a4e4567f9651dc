package import MeshModel
import SwiftProtobuf
package import XDSAPI

/// Why a proxy's own description cannot be used.
package struct NodeError: Error, Equatable, CustomStringConvertible {
    package var description: String
}

extension ProxyKey {
    /// Reads `sidecar~IP~POD.NAMESPACE~DOMAIN`, the locality, and labels and service account in the metadata.
    package init(node: Envoy_Config_Core_V3_Node) throws(NodeError) {
        let parts = node.id.split(separator: "~", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else {
            throw NodeError(description: "node id '\(node.id)' is not of the form TYPE~IP~POD.NAMESPACE~DOMAIN")
        }
        guard let role = Role(rawValue: parts[0]) else {
            throw NodeError(description: "node id '\(node.id)': type '\(parts[0])' is neither sidecar nor router")
        }
        guard let address = IPAddress(parts[1]) else {
            throw NodeError(description: "node id '\(node.id)': '\(parts[1])' is no IP address")
        }
        // Pod names may hold dots, namespaces may not.
        guard let dot = parts[2].lastIndex(of: "."), dot != parts[2].startIndex else {
            throw NodeError(description: "node id '\(node.id)': '\(parts[2])' is not of the form POD.NAMESPACE")
        }
        let namespace = String(parts[2][parts[2].index(after: dot)...])
        guard !namespace.isEmpty else {
            throw NodeError(description: "node id '\(node.id)': '\(parts[2])' has no namespace")
        }
        let labels = node.metadata.fields["LABELS"]?.structValue.fields ?? [:]
        self.init(
            role: role,
            address: address,
            workload: ObjectID(namespace: namespace, name: String(parts[2][..<dot])),
            dnsDomain: parts[3],
            labels: labels.mapValues(\.stringValue)
        )
        self.serviceAccount = node.metadata.fields["SERVICE_ACCOUNT"]?.stringValue ?? ""
        self.mintsAddresses = node.metadata.fields["MINTS_ADDRESSES"]?.stringValue == "true"
        self.asksPolicyEngine = node.metadata.fields[NodeMetadata.mixer]?.stringValue == "true"
        self.holdsRequests = node.metadata.fields[NodeMetadata.holding]?.stringValue == "true"
        self.network = node.metadata.fields["NETWORK"]?.stringValue ?? ""
        self.locality = Locality(
            region: node.locality.region,
            zone: node.locality.zone,
            subzone: node.locality.subZone
        )
    }
}
