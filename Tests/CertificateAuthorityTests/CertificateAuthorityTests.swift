import CertificateAuthority
import Crypto
import Foundation
import MeshModel
import SwiftASN1
import Testing
@_spi(FixedExpiryValidationTime) import X509
import _CryptoExtras

@Suite struct CertificateAuthorityTests {
    @Test("The identity is the caller's, whatever the request asks for")
    func identity() throws {
        let authority = try Requests.authority()
        let key = Requests.key()

        let issued = try authority.issue(
            for: try Requests.identity(),
            request: try SigningRequest(pem: try Requests.pem(key)),
            lifetime: 3600,
            now: Requests.now
        )

        let leaf = issued.leaf
        let names = try #require(try leaf.extensions.subjectAlternativeNames)
        #expect(Array(names) == [.uniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/sleep")])
        #expect(leaf.subject.isEmpty)
        #expect(leaf.publicKey == key.publicKey)
        #expect(try WorkloadID(certificate: leaf) == Requests.identity())
        #expect(try leaf.extensions.basicConstraints == .notCertificateAuthority)
    }

    @Test("A certificate is for both ends of TLS and for nothing else")
    func usages() throws {
        let leaf = try self.issued(by: try Requests.authority()).leaf

        let usage = try #require(try leaf.extensions.keyUsage)
        #expect(usage == KeyUsage(digitalSignature: true, keyEncipherment: true))
        let extended = try #require(try leaf.extensions.extendedKeyUsage)
        #expect(Array(extended) == [.serverAuth, .clientAuth])
        // No subject, so the names must be critical.
        #expect(leaf.extensions[oid: .X509ExtensionID.subjectAlternativeName]?.critical == true)
    }

    @Test("Serial numbers are random and of 128 bits")
    func serials() throws {
        let authority = try Requests.authority()
        let serials = try (0..<20).map { _ in try self.issued(by: authority).leaf.serialNumber }

        #expect(Set(serials).count == serials.count)
        // One more byte where the first bit would make it negative.
        #expect(serials.allSatisfy { (13...17).contains($0.bytes.count) })
    }

    @Test("The life begins a little early and is what policy allows")
    func life() throws {
        let policy = IssuancePolicy(lifetime: .seconds(600), lifetimeMax: .seconds(1000), backdating: .seconds(120))
        let authority = try Requests.authority(policy: policy)

        let lives = try [0, 500, 5000].map { try self.issued(by: authority, lifetime: $0).leaf }

        #expect(lives.allSatisfy { $0.notValidBefore == Requests.now.addingTimeInterval(-120) })
        #expect(lives.map { $0.notValidAfter.timeIntervalSince(Requests.now) } == [600, 500, 1000])
    }

    @Test("No certificate outlives the one that signed it")
    func cut() throws {
        let authority = try Requests.authority(lifetime: .seconds(1800))

        let leaf = try self.issued(by: authority, lifetime: 3600).leaf

        #expect(leaf.notValidAfter == authority.root.notValidAfter)
        let error = #expect(throws: AuthorityError.self) {
            try authority.issue(
                for: try Requests.identity(),
                request: try SigningRequest(pem: try Requests.pem(Requests.key())),
                lifetime: 0,
                now: Requests.now.addingTimeInterval(1801)
            )
        }
        #expect(error?.code == .expiredAuthority)
    }

    @Test("What is issued verifies against the root, by whatever key", arguments: SigningKeyKind.names.prefix(3))
    func verifies(_ kind: String) async throws {
        let authority = try Requests.authority(try #require(SigningKeyKind(kind)))
        let issued = try self.issued(by: authority)

        let accepted = await self.isValid(issued.leaf, [], roots: [authority.root])
        let foreign = await self.isValid(issued.leaf, [], roots: [try Requests.authority().root])

        #expect(accepted)
        #expect(!foreign)
        #expect(try issued.chain.count == 1)
        #expect(try issued.answer.last == authority.root.pem())
    }

    @Test("A plugged-in authority signs with its intermediates between")
    func intermediates() async throws {
        let root = try Requests.authority()
        let files = try root.subordinate(
            organization: "ops",
            from: Requests.now.addingTimeInterval(-60),
            until: Requests.now.addingTimeInterval(86_400 * 30)
        )
        let authority = try CertificateAuthority(files: files, policy: IssuancePolicy(), now: Requests.now)

        let issued = try self.issued(by: authority)

        #expect(issued.intermediates.count == 1)
        #expect(try issued.answer.count == 3)
        #expect(await self.isValid(issued.leaf, issued.intermediates, roots: [root.root]))
        #expect(authority.notAfter == Requests.now.addingTimeInterval(86_400 * 30))
    }

    @Test("OpenSSL shows the identity where people look for it", .enabled(if: Self.openSSL != nil))
    func shownByOpenSSL() throws {
        let now = Date()
        let authority = try Requests.authority(now: now)
        let issued = try authority.issue(
            for: try Requests.identity(),
            request: try SigningRequest(pem: try Requests.pem(Requests.key())),
            lifetime: 0,
            now: now
        )

        let text = try Self.run(["x509", "-noout", "-text"], input: try issued.chain.joined())

        #expect(
            text.contains(
                """
                X509v3 Subject Alternative Name: critical
                                URI:spiffe://cluster.local/ns/default/sa/sleep
                """
            )
        )
    }

    private func issued(by authority: CertificateAuthority, lifetime: Int64 = 0) throws -> IssuedCertificate {
        try authority.issue(
            for: try Requests.identity(),
            request: try SigningRequest(pem: try Requests.pem(Requests.key())),
            lifetime: lifetime,
            now: Requests.now
        )
    }

    private func isValid(_ leaf: Certificate, _ others: [Certificate], roots: [Certificate]) async -> Bool {
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            RFC5280Policy(fixedExpiryValidationTime: Requests.now)
            NamesPolicy()
        }
        switch await verifier.validate(leaf: leaf, intermediates: CertificateStore(others)) {
        case .validCertificate: return true
        case .couldNotValidate: return false
        }
    }

    /// Somebody must say that he reads the names, as they are critical.
    private struct NamesPolicy: VerifierPolicy {
        let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [.X509ExtensionID.subjectAlternativeName]

        mutating func chainMeetsPolicyRequirements(
            chain: UnverifiedCertificateChain
        ) async -> PolicyEvaluationResult { .meetsPolicy }
    }

    private static let openSSL = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private static func run(_ arguments: [String], input: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.openSSL ?? "")
        process.arguments = arguments
        let (source, output) = (Pipe(), Pipe())
        process.standardInput = source
        process.standardOutput = output
        try process.run()
        try source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try source.fileHandleForWriting.close()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }
}
