import CertificateAuthority
import MeshModel
import SwiftASN1
import Testing
import WorkloadIdentity
import X509

@Suite struct WorkloadKeyTests {
    private func identity() throws -> WorkloadID {
        try #require(WorkloadID(trustDomain: "cluster.local", namespace: "default", serviceAccount: "sleep"))
    }

    @Test("A request names the workload in its critical alternative name and is signed by its key")
    func request() throws {
        let pem = try WorkloadKey(.ecdsaP256).signingRequest(for: self.identity())

        let request = try CertificateSigningRequest(pemEncoded: pem)
        let extensions = try #require(try request.attributes.extensionRequest?.extensions)
        let names = try #require(try extensions.subjectAlternativeNames)
        #expect(Array(names) == [.uniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/sleep")])
        #expect(extensions[oid: .X509ExtensionID.subjectAlternativeName]?.critical == true)
        #expect(request.subject.isEmpty)
        #expect(request.publicKey.isValidSignature(request.signature, for: request))
    }

    @Test("The mesh's authority accepts the request")
    func accepted() throws {
        let pem = try WorkloadKey(.ecdsaP256).signingRequest(for: self.identity())

        #expect(throws: Never.self) { try SigningRequest(pem: pem) }
    }

    @Test("RSA keys are made where they are asked for")
    func rsa() throws {
        let key = try WorkloadKey(.rsa(bits: 2048))

        let request = try CertificateSigningRequest(pemEncoded: key.signingRequest(for: self.identity()))
        #expect(request.signatureAlgorithm == .sha256WithRSAEncryption)
        #expect(throws: Never.self) { try WorkloadKey(pem: key.pem) }
    }

    @Test("Lengths that are not used are refused", arguments: [(0, true), (-1, true), (1024, false), (2048, true)])
    func lengths(_ bits: Int, _ isUsed: Bool) {
        #expect((WorkloadKey.Algorithm(rsaBits: bits) != nil) == isUsed)
    }

    @Test("A key does not show itself")
    func redacted() throws {
        let key = try WorkloadKey(.ecdsaP256)

        #expect("\(key)" == "[redacted]")
        #expect(String(decoding: key.pem, as: UTF8.self).contains("PRIVATE KEY"))
    }

    @Test("What is no key is refused")
    func malformed() {
        #expect(throws: (any Error).self) { try WorkloadKey(pem: Array("no key".utf8)) }
    }
}
