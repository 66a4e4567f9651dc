import KubernetesAPI
import NIOHTTP1
import NIOSSL
import SwiftASN1
import X509

/// Finds out who sent a request: by the client certificate of our authority or by a service account's token.
struct Authenticator: Sendable {
    let tokens: ServiceAccountTokens
    let store: ObjectStore

    /// The TLS layer has checked that our authority issued the certificate. A token that is not good throws 401; a
    /// request without any credentials is anonymous.
    func identity(certificate: NIOSSLCertificate?, headers: HTTPHeaders) async throws -> Identity {
        if let certificate, let identity = Self.identity(of: certificate) { return identity }
        guard let header = headers.first(name: "authorization") else { return .anonymous }
        let words = header.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { throw APIFailure.unauthorized() }
        guard let claims = await self.tokens.check(String(words[1]))?.claims, claims.isAlive(in: self.store) else {
            throw APIFailure.unauthorized()
        }
        return claims.identity
    }

    private static func identity(of certificate: NIOSSLCertificate) -> Identity? {
        // A certificate that TLS accepted but that cannot be read names nobody.
        guard let bytes = try? certificate.toDERBytes(), let parsed = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        var name = ""
        var groups = ["system:authenticated"]
        for relative in parsed.subject {
            for attribute in relative {
                guard let value = String(attribute.value) else { continue }
                if attribute.type == .RDNAttributeType.commonName { name = value }
                if attribute.type == .RDNAttributeType.organizationName { groups.append(value) }
            }
        }
        return name.isEmpty ? nil : Identity(name: name, groups: groups)
    }
}

extension ServiceAccountTokens.Claims {
    /// Who sends requests with the token.
    var identity: Identity {
        Identity(
            name: self.subject,
            groups: [
                "system:serviceaccounts", "system:serviceaccounts:\(self.kubernetes.namespace)", "system:authenticated",
            ]
        )
    }

    /// Whether the account, and the pod that the token is bound to, still exist: the same ones, not others of the name.
    func isAlive(in store: ObjectStore) -> Bool {
        func exists(_ resource: String, _ reference: Reference) -> Bool {
            let key = StoreKey(
                resource: GroupResource(group: "", resource: resource),
                namespace: self.kubernetes.namespace,
                name: reference.name
            )
            return store.object(key)?.uid == reference.uid
        }
        return exists("serviceaccounts", self.kubernetes.serviceaccount)
            && (self.kubernetes.pod.map { exists("pods", $0) } ?? true)
    }
}
