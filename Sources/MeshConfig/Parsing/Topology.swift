import MeshModel

/// Where a workload runs and who it can prove to be, as labels tell it.
enum Topology {
    /// Set where a proxy with a mesh identity was injected; automatic mutual TLS goes by it (facts #66).
    static let identityLabel = "security.istio.io/tlsMode"
    static let networkLabel = "topology.istio.io/network"
    /// Istio's label for the whole locality; Kubernetes has the others on nodes.
    private static let localityLabel = "istio-locality"

    static func hasMeshIdentity(_ labels: [String: String]) -> Bool { labels[self.identityLabel] == "istio" }

    static func network(_ labels: [String: String]) -> String { labels[self.networkLabel] ?? "" }

    static func locality(_ labels: [String: String]) -> Locality {
        if let text = labels[self.localityLabel], !text.isEmpty {
            // A label's value cannot have a `/`.
            return self.locality(text, separator: text.contains("/") ? "/" : ".")
        }
        return Locality(
            region: labels["topology.kubernetes.io/region"] ?? "",
            zone: labels["topology.kubernetes.io/zone"] ?? "",
            subzone: labels["topology.istio.io/subzone"] ?? ""
        )
    }

    /// `region/zone/subzone`; less is allowed, and what is more belongs to the last part.
    static func locality(_ text: String, separator: Character = "/") -> Locality {
        let parts = text.split(separator: separator, maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        return Locality(
            region: parts.first ?? "",
            zone: parts.count > 1 ? parts[1] : "",
            subzone: parts.count > 2 ? parts[2] : ""
        )
    }
}
