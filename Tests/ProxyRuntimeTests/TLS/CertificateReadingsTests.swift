import MeshModel
import NIOSSL
import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct CertificateReadingsTests {
    private func certificate(_ pki: TestPKI, _ name: String) throws -> NIOSSLCertificate {
        let chain = try pki.issue(uris: [name], commonName: "peer").certificateChain
        return try #require(try NIOSSLCertificate.fromPEMBytes(chain).first)
    }

    @Test("A certificate is known again by its bytes; another with the same name is not taken for it")
    func known() throws {
        let pki = try TestPKI()
        let first = try self.certificate(pki, TestPKI.frontend)
        let second = try self.certificate(pki, TestPKI.frontend)
        var readings = CertificateReadings()

        let identities = [first, first, second, first].map { readings.reading(of: $0).identity }

        #expect(identities[0].uris == [TestPKI.frontend] && identities[0].subject == "CN=peer")
        #expect(identities[0].hash.count == 64)
        #expect(identities[1] == identities[0] && identities[3] == identities[0])
        #expect(identities[2].uris == identities[0].uris && identities[2].hash != identities[0].hash)
        #expect(readings.count == 2)
    }

    @Test("Peers that show ever different certificates do not fill the memory")
    func bounded() throws {
        let pki = try TestPKI()
        var readings = CertificateReadings()
        for number in 0..<CertificateReadings.countMax + 10 {
            _ = readings.reading(of: try self.certificate(pki, "spiffe://a/\(number)"))
            #expect(readings.count <= CertificateReadings.countMax)
        }
        #expect(readings.count == 10)
    }
}
