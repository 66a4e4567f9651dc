import KubernetesAPI
import MeshModel

import struct Foundation.Data

/// Standard base64, as Secrets and hashes are written.
enum Base64 {
    static func decoded(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map { [UInt8]($0) } }
}

/// Reads certificates out of Secrets: `kubernetes.io/tls`, or Istio's keys `cert`, `key` and `cacert`.
///
/// Nothing of a Secret's content may be in a message.
enum SecretParser {
    /// End of the name of a Secret that holds the roots of another one.
    static let rootsSuffix = "-cacert"

    /// `nil` for a Secret that has neither certificate nor roots: most are for others.
    static func parse(_ object: KubernetesObject) -> Parsed<TLSCredential> {
        var findings = Findings("Secret", object)
        let data = object.json["data"]?.stringMap ?? [:]
        guard Self.keys.contains(where: { data[$0] != nil }) else { return Parsed(object, value: nil) }
        func bytes(_ keys: String...) -> [UInt8] {
            guard let key = keys.first(where: { data[$0] != nil }), let text = data[key] else { return [] }
            guard let bytes = Base64.decoded(text) else {
                findings.error("data.\(key)", "is not base64")
                return []
            }
            if !bytes.isEmpty, !Self.isPEM(bytes) { findings.error("data.\(key)", "is not PEM") }
            return bytes
        }
        let credential = TLSCredential(
            certificateChain: bytes("tls.crt", "cert"),
            privateKey: bytes("tls.key", "key"),
            roots: bytes("ca.crt", "cacert"),
            revocationList: bytes("ca.crl", "crl")
        )
        if credential.certificateChain.isEmpty != credential.privateKey.isEmpty {
            findings.error("data", "has a certificate without its key, or a key without its certificate")
        }
        if credential.certificateChain.isEmpty, credential.roots.isEmpty {
            findings.error("data", "has neither a certificate nor roots")
        }
        return Parsed(object, value: findings.hasErrors ? nil : credential, diagnoses: findings.diagnoses)
    }

    private static let keys = ["tls.crt", "tls.key", "ca.crt", "cert", "key", "cacert"]

    private static func isPEM(_ bytes: [UInt8]) -> Bool {
        let begin = Array("-----BEGIN ".utf8)
        // Tools put comments in front of the first block.
        return bytes.indices.contains { index in
            bytes[index] == begin[0] && (index == 0 || bytes[index - 1] == 0x0A) && bytes[index...].starts(with: begin)
        }
    }
}
