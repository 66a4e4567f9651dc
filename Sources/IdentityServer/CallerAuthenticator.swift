import CertificateAuthority
package import Foundation
package import GRPCCore
package import Logging
package import MeshModel
package import X509

/// Who calls, and how that was proved.
package struct Caller: Hashable, Sendable {
    package enum Proof: String, Hashable, Sendable { case token, certificate }

    package var identity: WorkloadID
    /// The pod that a token is bound to.
    package var pod: String?
    package var proof: Proof

    package init(identity: WorkloadID, pod: String? = nil, proof: Proof) {
        self.identity = identity
        self.pod = pod
        self.proof = proof
    }
}

/// Finds out who calls: by a service account token (metadata `authorization: Bearer …`), else by the client certificate
/// of the connection.
package struct CallerAuthenticator: Sendable {
    private let tokens: any TokenReviewing
    private let trustDomain: @Sendable () -> String
    private let logger: Logger

    package init(
        tokens: any TokenReviewing,
        trustDomain: @escaping @Sendable () -> String,
        logger: Logger
    ) {
        self.tokens = tokens
        self.trustDomain = trustDomain
        self.logger = logger
    }

    /// The caller behind a request.
    ///
    /// - Parameters:
    ///   - metadata: headers of the request.
    ///   - certificate: of the connection; TLS has checked its chain when the connection was made.
    ///   - now: the present.
    /// - Returns: the caller.
    /// - Throws: `RPCError` that says what was wrong, never with the token in it: `unauthenticated`, or `unavailable` if
    ///   the token could not be reviewed.
    package func caller(metadata: Metadata, certificate: Certificate?, now: Date = Date()) async throws -> Caller {
        guard let header = metadata[stringValues: "authorization"].first(where: { _ in true }) else {
            guard let certificate else {
                throw RPCError(
                    code: .unauthenticated,
                    message: "no credentials: send a service account token of audience \(TokenReviewer.istioAudience), "
                        + "or connect with a certificate of this mesh"
                )
            }
            return try self.caller(certificate: certificate, now: now)
        }
        do {
            return try await self.caller(authorization: header)
        } catch {
            // A workload that proved itself before goes on while its token, or the API server, is out of order.
            guard let certificate, let caller = try? self.caller(certificate: certificate, now: now) else {
                throw error
            }
            return caller
        }
    }

    private func caller(certificate: Certificate, now: Date) throws -> Caller {
        // The connection may be older than the certificate's end.
        guard certificate.notValidAfter > now, certificate.notValidBefore <= now else {
            throw RPCError(code: .unauthenticated, message: "the client certificate is not valid now")
        }
        let identity: WorkloadID
        do {
            identity = try WorkloadID(certificate: certificate)
        } catch {
            throw RPCError(code: .unauthenticated, message: "\(error)")
        }
        let trustDomain = self.trustDomain()
        guard identity.trustDomain == trustDomain else {
            throw RPCError(
                code: .unauthenticated,
                message: "the client certificate is of trust domain `\(identity.trustDomain)`, not `\(trustDomain)`"
            )
        }
        return Caller(identity: identity, proof: .certificate)
    }

    private func caller(authorization header: String) async throws -> Caller {
        let words = header.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            throw RPCError(code: .unauthenticated, message: "the authorization header is not `Bearer TOKEN`")
        }
        let result: TokenReviewResult
        do {
            result = try await self.tokens.review(String(words[1]))
        } catch is CancellationError {
            throw RPCError(code: .cancelled, message: "cancelled")
        } catch {
            self.logger.warning("cannot have a token reviewed", metadata: ["error": "\(error)"])
            throw RPCError(code: .unavailable, message: "the token cannot be reviewed now; try again")
        }
        switch result {
        case .accepted(let identity, let pod): return Caller(identity: identity, pod: pod, proof: .token)
        case .refused(let why):
            throw RPCError(code: .unauthenticated, message: "the service account token is not accepted: \(why)")
        }
    }
}
