import CertificateAuthority
import Crypto
import Foundation
import GRPCCore
import IdentityServer
import Logging
import MeshModel
import Testing
import X509

@Suite struct CallerAuthenticatorTests {
    private struct Reviewer: TokenReviewing {
        struct Down: Error {}

        func review(_ token: String) async throws -> TokenReviewResult {
            switch token {
            case "down": throw Down()
            case "good":
                guard let id = WorkloadID(trustDomain: "cluster.local", namespace: "a", serviceAccount: "token") else {
                    throw Down()
                }
                return .accepted(id, pod: "p")
            default: return .refused("expired")
            }
        }
    }

    @Test("A token proves its account")
    func token() async throws {
        let caller = try await self.caller("Bearer good")

        #expect(caller.identity.serviceAccount == "token")
        #expect(caller.pod == "p")
        #expect(caller.proof == .token)
    }

    @Test("Without proof nobody is let in, and the answer says what would do")
    func nothing() async throws {
        let error = await #expect(throws: RPCError.self) { try await self.caller(nil) }

        #expect(error?.code == .unauthenticated)
        #expect(error?.message.contains("istio-ca") == true)
    }

    @Test(
        "A refusal says why, without the token",
        arguments: ["Bearer secret", "secret", "Basic secret", "Bearer a b"]
    )
    func refused(_ header: String) async throws {
        let error = await #expect(throws: RPCError.self) { try await self.caller(header) }

        #expect(error?.code == .unauthenticated)
        #expect(error?.message.contains("secret") == false)
    }

    @Test("An API server that is down is not the caller's fault")
    func down() async throws {
        let error = await #expect(throws: RPCError.self) { try await self.caller("Bearer down") }

        #expect(error?.code == .unavailable)
    }

    @Test("A certificate of the mesh proves its identity, also while tokens are out of order")
    func certificate() async throws {
        let certificate = try Self.certificate("spiffe://cluster.local/ns/a/sa/cert")

        for header in [nil, "Bearer down", "Bearer old"] {
            let caller = try await self.caller(header, certificate)
            #expect(caller.identity.serviceAccount == "cert")
            #expect(caller.proof == .certificate)
        }
    }

    @Test("Certificates of others, of another time or without an identity prove nothing")
    func badCertificates() async throws {
        let bad = [
            try Self.certificate("spiffe://elsewhere/ns/a/sa/b"), try Self.certificate("https://cluster.local/"),
            try Self.certificate("spiffe://cluster.local/ns/a/sa/b", from: -7200, until: -1),
            try Self.certificate("spiffe://cluster.local/ns/a/sa/b", from: 60, until: 600),
        ]
        for certificate in bad {
            let error = await #expect(throws: RPCError.self) { try await self.caller(nil, certificate) }
            #expect(error?.code == .unauthenticated)
        }
    }

    private static let now = Date(timeIntervalSince1970: 1_767_225_600)

    private func caller(_ header: String?, _ certificate: Certificate? = nil) async throws -> Caller {
        let callers = CallerAuthenticator(
            tokens: Reviewer(),
            trustDomain: { "cluster.local" },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        var metadata = Metadata()
        if let header { metadata.addString(header, forKey: "authorization") }
        return try await callers.caller(metadata: metadata, certificate: certificate, now: Self.now)
    }

    private static func certificate(
        _ uri: String,
        from: TimeInterval = -60,
        until: TimeInterval = 60
    ) throws -> Certificate {
        let files = try CertificateAuthority.selfSigned(
            organization: "cluster.local",
            now: self.now.addingTimeInterval(-86_400)
        )
        let authority = try CertificateAuthority(files: files, policy: IssuancePolicy(), now: self.now)
        return try authority.issue(
            uris: [uri],
            to: Certificate.PrivateKey(P256.Signing.PrivateKey()).publicKey,
            from: self.now.addingTimeInterval(from),
            until: self.now.addingTimeInterval(until)
        ).leaf
    }
}
