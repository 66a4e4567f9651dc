import KubernetesAPI

/// Settings of one pod's proxy in its annotation `proxy.istio.io/config`: of Istio's ProxyConfig, `proxyMetadata` is
/// known here, whose entries become variables of the proxy's environment.
enum ProxyMetadata {
    static let annotation = "proxy.istio.io/config"

    /// In order of names; without those that the container has anyway, which say who the pod is.
    static func variables(_ annotations: [String: String], besides own: [JSONValue]) -> [JSONValue] {
        // An annotation that cannot be read says nothing; the pod is to start all the same.
        guard let text = annotations[self.annotation], let documents = try? YAML.documents(text),
            let metadata = documents.first?.value["proxyMetadata"]?.object
        else { return [] }
        let taken = Set(own.compactMap { $0["name"]?.string })
        return metadata.sorted { $0.key < $1.key }.compactMap { name, value in
            guard self.isVariable(name), !taken.contains(name), let text = self.text(value) else { return nil }
            return ["name": .string(name), "value": .string(text)]
        }
    }

    /// YAML reads `30` as a number and `true` as a truth value; people mean what they wrote.
    private static func text(_ value: JSONValue) -> String? {
        if let text = value.string { return text }
        return value.int != nil || value.bool != nil ? value.text() : nil
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
