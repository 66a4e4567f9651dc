import CertificateAuthority
import Foundation
import KubernetesAPI

/// The Secrets that hold authorities; names and keys are Istio's.
enum AuthoritySecrets {
    /// An authority of the operator's, which counts more than ours.
    static let pluggedIn = "cacerts"
    /// The root that we made.
    static let own = "istio-ca-secret"
    /// Who signs at present and which roots are trusted: what must survive us while roots are replaced.
    static let state = "lateen-ca-state"
    private static let stateKey = "state.json"

    /// The files of a Secret; a missing key is a complaint later, with its name.
    static func files(_ secret: KubernetesObject) -> AuthorityFiles {
        func text(_ key: String) -> String {
            secret.json[path: "data", key]?.string.flatMap { Data(base64Encoded: $0) }
                .map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let certificate = text(AuthorityFiles.certificateName)
        let root = text(AuthorityFiles.rootName)
        return AuthorityFiles(
            certificate: certificate,
            key: text(AuthorityFiles.keyName),
            chain: text(AuthorityFiles.chainName),
            // Istio's own Secret has no root: its certificate is the root.
            root: root.isEmpty && secret.name == self.own ? certificate : root
        )
    }

    /// A new Secret with a root of ours.
    static func own(_ files: AuthorityFiles, namespace: String) -> KubernetesObject {
        var object = KubernetesObject(.secrets, namespace: namespace, name: self.own)
        object.json["type"] = "istio.io/ca-root"
        self.write(files, into: &object)
        return object
    }

    static func write(_ files: AuthorityFiles, into object: inout KubernetesObject) {
        object.json["data"] = [
            AuthorityFiles.certificateName: self.base64(files.certificate),
            AuthorityFiles.keyName: self.base64(files.key),
            AuthorityFiles.chainName: "", AuthorityFiles.rootName: self.base64(files.root),
        ]
    }

    /// `nil` if the Secret holds no state that can be read.
    static func state(_ secret: KubernetesObject) -> RootRotation.State? {
        guard let text = secret.json[path: "data", self.stateKey]?.string, let data = Data(base64Encoded: text) else {
            return nil
        }
        // Broken state is replaced: the authority itself stands in the other Secrets.
        return try? JSONDecoder().decode(RootRotation.State.self, from: data)
    }

    static func write(_ state: RootRotation.State, into object: inout KubernetesObject) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        object.json["type"] = "Opaque"
        object.json["data"] = [self.stateKey: .string(try encoder.encode(state).base64EncodedString())]
    }

    private static func base64(_ text: String) -> JSONValue { .string(Data(text.utf8).base64EncodedString()) }
}
