package import KubernetesAPI

/// The fields of a pod that its containers may see, as environment variables or files.
package struct DownwardAPI {
    package var pod: KubernetesObject
    package var podAddress: String
    package var hostAddress: String
    package var nodeName: String

    package init(
        pod: KubernetesObject,
        podAddress: String,
        hostAddress: String,
        nodeName: String
    ) {
        self.pod = pod
        self.podAddress = podAddress
        self.hostAddress = hostAddress
        self.nodeName = nodeName
    }

    /// The value of a `fieldRef`; `nil` if the path is not one of the API's.
    package func value(_ path: String) -> String? {
        switch path {
        case "metadata.name": return self.pod.name
        case "metadata.namespace": return self.pod.namespace ?? "default"
        case "metadata.uid": return self.pod.uid
        case "metadata.labels": return Self.lines(self.pod.labels)
        case "metadata.annotations": return Self.lines(self.pod.annotations)
        case "spec.nodeName": return self.nodeName
        case "spec.serviceAccountName":
            return self.pod.spec["serviceAccountName"]?.string ?? "default"
        case "status.podIP", "status.podIPs": return self.podAddress
        case "status.hostIP", "status.hostIPs": return self.hostAddress
        default: return self.member(path)
        }
    }

    /// `metadata.labels['app']`
    private func member(_ path: String) -> String? {
        for (prefix, members) in [
            ("metadata.labels['", self.pod.labels), ("metadata.annotations['", self.pod.annotations),
        ] where path.hasPrefix(prefix) && path.hasSuffix("']") {
            return members[String(path.dropFirst(prefix.count).dropLast(2))] ?? ""
        }
        return nil
    }

    /// One `key="value"` a line, sorted, as the API documents it.
    private static func lines(_ members: [String: String]) -> String {
        members.sorted { $0.key < $1.key }.map { key, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(key)=\"\(escaped)\""
        }.joined(separator: "\n")
    }
}
