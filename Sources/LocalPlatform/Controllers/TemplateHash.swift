package import KubernetesAPI

/// The label that tells the pods of one template from those of the next.
package enum TemplateHash {
    package static let label = "pod-template-hash"

    /// Ten characters that depend on every field of the template; letters are those that cannot form words.
    package static func hash(_ template: JSONValue, collisions: Int) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        var value = UInt64(14_695_981_039_346_656_037)
        for byte in template.serialize() + Array("/\(collisions)".utf8) {
            value = (value ^ UInt64(byte)) &* 1_099_511_628_211
        }
        var text = ""
        for _ in 0..<10 {
            text.append(alphabet[Int(value % UInt64(alphabet.count))])
            value /= UInt64(alphabet.count)
        }
        return text
    }

    /// The template without the label that we add.
    package static func plain(_ template: JSONValue) -> JSONValue {
        var template = template
        template[path: "metadata", "labels", Self.label] = nil
        template[path: "metadata", "creationTimestamp"] = nil
        return template
    }
}
