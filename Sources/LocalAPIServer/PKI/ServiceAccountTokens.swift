package import Foundation
package import JWTKit

/// Issues and checks the bearer tokens of service accounts (ES256, bound to an account and optionally to a pod).
package struct ServiceAccountTokens: Sendable {
    /// Claims in the layout that Kubernetes uses, so that any client library can read them.
    package struct Claims: JWTPayload {
        package struct Reference: Codable, Sendable, Hashable {
            package var name: String
            package var uid: String

            package init(name: String, uid: String) {
                self.name = name
                self.uid = uid
            }
        }

        package struct Kubernetes: Codable, Sendable, Hashable {
            package var namespace: String
            package var serviceaccount: Reference
            package var pod: Reference?
        }

        var iss: IssuerClaim
        var sub: SubjectClaim
        var aud: AudienceClaim
        var exp: ExpirationClaim
        var iat: IssuedAtClaim
        var nbf: NotBeforeClaim
        var jti: IDClaim
        package var kubernetes: Kubernetes

        enum CodingKeys: String, CodingKey {
            case iss, sub, aud, exp, iat, nbf, jti
            case kubernetes = "kubernetes.io"
        }

        /// The account's user name.
        package var subject: String { self.sub.value }

        package func verify(using algorithm: some JWTAlgorithm) async throws {
            try self.exp.verifyNotExpired()
            try self.nbf.verifyNotBefore()
        }
    }

    let issuer: String
    private let keys: JWTKeyCollection

    package init(keyPEM: String, clusterDomain: String) async throws {
        self.issuer = "https://kubernetes.default.svc.\(clusterDomain)"
        self.keys = JWTKeyCollection()
        await self.keys.add(ecdsa: try ES256PrivateKey(pem: keyPEM))
    }

    package func issue(
        namespace: String,
        account: Claims.Reference,
        pod: Claims.Reference?,
        audiences: [String],
        lifetime: TimeInterval,
        now: Date = Date()
    ) async throws -> (token: String, expires: Date) {
        // Whole seconds: not every client reads fractions in these claims.
        let now = Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down))
        let expires = now.addingTimeInterval(lifetime)
        let claims = Claims(
            iss: IssuerClaim(value: self.issuer),
            sub: SubjectClaim(value: "system:serviceaccount:\(namespace):\(account.name)"),
            aud: AudienceClaim(value: audiences.isEmpty ? [self.issuer] : audiences),
            exp: ExpirationClaim(value: expires),
            iat: IssuedAtClaim(value: now),
            nbf: NotBeforeClaim(value: now),
            jti: IDClaim(value: UUID().uuidString.lowercased()),
            kubernetes: Claims.Kubernetes(namespace: namespace, serviceaccount: account, pod: pod)
        )
        return (try await self.keys.sign(claims), expires)
    }

    /// The claims of a token that we signed, that is in its time and meant for one of the audiences; `nil` otherwise.
    ///
    /// - Parameters:
    ///   - token: a token of whatever origin.
    ///   - audiences: whom the token may be meant for; empty: this server.
    /// - Returns: the claims and those of the audiences that they name.
    package func check(
        _ token: String,
        audiences: [String] = []
    ) async -> (claims: Claims, audiences: [String])? {
        // Why a token is bad is of no use to who sent it: every failure is the same answer.
        guard let claims = try? await self.keys.verify(token, as: Claims.self), claims.iss.value == self.issuer else {
            return nil
        }
        let common = (audiences.isEmpty ? [self.issuer] : audiences).filter(claims.aud.value.contains)
        return common.isEmpty ? nil : (claims, common)
    }
}
