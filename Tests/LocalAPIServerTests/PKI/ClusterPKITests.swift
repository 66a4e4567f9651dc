import Foundation
import LocalAPIServer
import Testing

@Suite struct ClusterPKITests {
    private let configuration = APIServerConfiguration(
        stateFolder: FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
    )

    @Test("Keys are readable by their owner only and certificates are kept across starts")
    func keeps() throws {
        let first = try ClusterPKI.open(self.configuration)
        let second = try ClusterPKI.open(self.configuration)
        #expect(first.servingCertificatePEM == second.servingCertificatePEM)
        #expect(first.adminKeyPEM == second.adminKeyPEM)
        for key in ["ca.key", "apiserver.key", "admin.key", "service-account.key"] {
            let path = self.configuration.pkiFolder.appendingPathComponent(key).path
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)
        }
    }

    @Test("A certificate near its end is issued anew by the same authority")
    func renews() throws {
        let first = try ClusterPKI.open(self.configuration)
        let later = try ClusterPKI.open(self.configuration, now: Date().addingTimeInterval(320 * 86_400))
        #expect(first.caPEM == later.caPEM)
        #expect(first.servingCertificatePEM != later.servingCertificatePEM)
        #expect(first.tokenKeyPEM == later.tokenKeyPEM)
    }

    @Test("Tokens are accepted from their issuer, in their time and for their audience")
    func tokens() async throws {
        let pki = try ClusterPKI.open(self.configuration)
        let tokens = try await ServiceAccountTokens(keyPEM: pki.tokenKeyPEM, clusterDomain: "cluster.local")
        let account = ServiceAccountTokens.Claims.Reference(name: "sleep", uid: "u1")
        func issue(_ audiences: [String], now: Date = Date()) async throws -> String {
            try await tokens.issue(
                namespace: "default",
                account: account,
                pod: nil,
                audiences: audiences,
                lifetime: 600,
                now: now
            ).token
        }
        let claims = try #require(await tokens.check(try await issue([]))).claims
        #expect(claims.subject == "system:serviceaccount:default:sleep")
        #expect(claims.kubernetes.serviceaccount == account)
        #expect(await tokens.check(try await issue(["istio-ca"])) == nil)
        #expect(await tokens.check(try await issue([], now: Date().addingTimeInterval(-700))) == nil)
        #expect(await tokens.check("a.b.c") == nil)
    }
}
