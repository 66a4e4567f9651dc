import MeshModel
import NIOSSL
import ProxyRuntime
import Testing
import TrafficEngine

/// Certificates whose chain nobody looks at: the sessions that they came with are resumed.
@Suite struct PeerCheckTests {
    private func refusal(
        from start: Double,
        to end: Double,
        roots: PeerValidation.Roots? = nil
    ) throws -> PeerRefusal? {
        let pki = try TestPKI()
        let credential = try pki.issue(uris: [TestPKI.frontend], from: start, to: end)
        let certificate = try #require(try NIOSSLCertificate.fromPEMBytes(credential.certificateChain).first)
        let name = PeerValidation.Name(kind: .uri, match: .exact(TestPKI.frontend))
        let roots = try roots ?? .inline(pki.rootPEM)
        return try PeerCheck(PeerValidation(roots: roots, names: [name])).refusal(of: certificate, expectedName: nil)
    }

    @Test("A certificate that has ended, or has not begun, is refused although its session goes on")
    func checksDates() throws {
        #expect(try self.refusal(from: -60, to: 3600) == nil)

        let expired = try #require(try self.refusal(from: -7200, to: -3600))
        #expect(expired.kind == .error && expired.message.hasPrefix("certificate has expired; peer presented URI:"))
        let early = try #require(try self.refusal(from: 3600, to: 7200))
        #expect(early.kind == .error && early.message.hasPrefix("certificate is not yet valid; "))
    }

    @Test("Where no chain is checked, dates are not, either")
    func leavesUncheckedAlone() throws {
        #expect(try self.refusal(from: -7200, to: -3600, roots: PeerValidation.Roots.none) == nil)
    }
}
