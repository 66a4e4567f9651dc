import CertificateAuthority
import Crypto
import Foundation
import MeshModel
import Testing
import X509

@Suite struct AuthorityFilesTests {
    private let now = Requests.now

    @Test("Files that fit together are taken, also with the root at the end of the chain")
    func good() throws {
        var files = try self.files()
        files.chain += files.root

        let authority = try CertificateAuthority(files: files, policy: IssuancePolicy(), now: self.now)

        #expect(authority.intermediates.count == 1)
        #expect(try files.roots.count == 1)
    }

    @Test("A refusal names the file at fault")
    func names() throws {
        let good = try self.files()
        let other = try self.files()
        var cases: [(String, AuthorityFiles)] = []
        func change(_ name: String, _ body: (inout AuthorityFiles) -> Void) {
            var files = good
            body(&files)
            cases.append((name, files))
        }
        change("ca-key.pem does not belong to ca-cert.pem") { $0.key = other.key }
        change("ca-key.pem is no private key") { $0.key = "" }
        change("ca-key.pem is no private key") { $0.key = $0.certificate }
        change("ca-cert.pem has no certificate") { $0.certificate = "" }
        change("ca-cert.pem cannot be read") { $0.certificate = $0.certificate.replacing("A", with: "!") }
        change("root-cert.pem has no certificate") { $0.root = "" }
        change("cert-chain.pem does not lead from ca-cert.pem to root-cert.pem") { $0.root = other.root }

        for (text, files) in cases {
            let error = #expect(throws: AuthorityError.self) {
                try CertificateAuthority(files: files, policy: IssuancePolicy(), now: self.now)
            }
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "") for \(text)")
        }
    }

    @Test("A certificate of a workload cannot sign")
    func leaf() throws {
        let root = try Requests.authority()
        let key = P256.Signing.PrivateKey()
        let issued = try root.issue(
            uris: ["spiffe://a/ns/b/sa/c"],
            to: Certificate.PrivateKey(key).publicKey,
            from: self.now.addingTimeInterval(-60),
            until: self.now.addingTimeInterval(60)
        )
        let files = AuthorityFiles(
            certificate: try issued.leaf.pem(),
            key: key.pemRepresentation,
            root: try root.root.pem()
        )

        let error = #expect(throws: AuthorityError.self) {
            try CertificateAuthority(files: files, policy: IssuancePolicy(), now: self.now)
        }

        #expect(error?.message.contains("may not sign certificates") == true)
    }

    @Test("An authority is refused before and after its time")
    func time() throws {
        let files = try self.files()

        let late = #expect(throws: AuthorityError.self) {
            try CertificateAuthority(
                files: files,
                policy: IssuancePolicy(),
                now: self.now.addingTimeInterval(31 * 86_400)
            )
        }
        let early = #expect(throws: AuthorityError.self) {
            try CertificateAuthority(files: files, policy: IssuancePolicy(), now: self.now.addingTimeInterval(-3600))
        }

        #expect(late?.code == .expiredAuthority)
        #expect(early?.code == .unusableAuthority)
    }

    @Test("Descriptions do not show the key")
    func hidesKey() throws {
        let files = try self.files()

        #expect(!"\(files)".contains("PRIVATE"))
        #expect(!String(reflecting: files).contains("PRIVATE"))
    }

    @Test("A certificate names one workload, or nobody")
    func identities() throws {
        let root = try Requests.authority()
        func identity(_ uris: [String]) throws -> WorkloadID {
            try WorkloadID(
                certificate: try root.issue(
                    uris: uris,
                    dnsNames: uris.isEmpty ? ["a.b"] : [],
                    to: Requests.key().publicKey,
                    from: self.now,
                    until: self.now.addingTimeInterval(60)
                ).leaf
            )
        }
        #expect(try identity(["spiffe://x.org/ns/a/sa/b"]).trustDomain == "x.org")
        let bad = [[], ["spiffe://x.org/ns/a/sa/b", "spiffe://x.org/ns/a/sa/c"], ["https://x.org/ns/a/sa/b"]]
        for uris in bad {
            let error = #expect(throws: AuthorityError.self) { try identity(uris) }
            #expect(error?.code == .noIdentity)
        }
    }

    private func files() throws -> AuthorityFiles {
        try Requests.authority().subordinate(
            organization: "ops",
            from: self.now.addingTimeInterval(-60),
            until: self.now.addingTimeInterval(30 * 86_400)
        )
    }
}
