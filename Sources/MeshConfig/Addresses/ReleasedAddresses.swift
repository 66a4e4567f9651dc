import KubernetesAPI
import MeshModel

/// How the addresses that nobody may have yet are written down, so that a control plane that starts knows them: one
/// line each in a ConfigMap, `240.240.3.7 1790000000 db.example.com`.
enum ReleasedAddresses {
    static let name = "lateen-released-addresses"
    static let key = "released"
    /// A ConfigMap holds a mebibyte; of more than this, those that are kept longest are written.
    static let linesMax = 8000

    static func object(_ releases: [IPAddress: AddressLedger.Release], namespace: String) -> KubernetesObject {
        var object = KubernetesObject(.configMaps, namespace: namespace, name: self.name)
        object.labels = ["app.kubernetes.io/part-of": "lateen"]
        object.json["data"] = [self.key: .string(self.text(releases))]
        return object
    }

    static func text(_ releases: [IPAddress: AddressLedger.Release]) -> String {
        releases.sorted { ($1.value.until, $0.key) < ($0.value.until, $1.key) }.prefix(self.linesMax)
            .sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value.until) \($0.value.host)\n" }.joined()
    }

    /// Lines that nobody could have written with ``text(_:)`` say nothing.
    static func parse(_ object: KubernetesObject) -> [IPAddress: AddressLedger.Release] {
        let text = object.json[path: "data", self.key]?.string ?? ""
        var releases: [IPAddress: AddressLedger.Release] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let address = IPAddress(String(words[0])), let until = Int64(words[1]),
                let host = HostName(String(words[2]))
            else { continue }
            releases[address] = AddressLedger.Release(host: host, until: until)
        }
        return releases
    }
}
