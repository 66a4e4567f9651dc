import Logging
import MeshModel
import ProxyRuntime
import SwiftASN1
import Testing
import TrafficEngine
import X509

/// Certificates that were taken back.
@Suite struct RevocationTests {
    /// One element of DER.
    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] = count < 128 ? [UInt8(count)] : [0x82, UInt8(count >> 8), UInt8(count & 255)]
        return [tag] + length + content
    }

    /// A list (RFC 5280 section 5.1) of the serial numbers, without a signature worth the name.
    private static func list(of root: Certificate, serials: [[UInt8]]) throws -> [UInt8] {
        var issuer = DER.Serializer()
        try issuer.serialize(root.subject)
        let algorithm = Self.element(0x30, Self.element(0x06, [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]))
        let time = Self.element(0x17, Array("250101000000Z".utf8))
        let entries = serials.flatMap { Self.element(0x30, Self.element(0x02, $0) + time) }
        let body = Self.element(
            0x30,
            Self.element(0x02, [1]) + algorithm + issuer.serializedBytes + time + time
                + (entries.isEmpty ? [] : Self.element(0x30, entries))
        )
        let whole = Self.element(0x30, body + algorithm + Self.element(0x03, [0, 1]))
        let pem = PEMDocument(type: "X509 CRL", derBytes: whole)
        return Array((pem.pemString + "\n").utf8)
    }

    private static let serial: [UInt8] = [0x11, 0x22, 0x33]

    @Test("A certificate on the list is refused, another one is not", arguments: [true, false])
    func refusesRevoked(_ isRevoked: Bool) async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup(
            pki: pki,
            server: pki.issue(uris: [TestPKI.backend]),
            client: pki.issue(uris: [TestPKI.frontend], serial: Certificate.SerialNumber(bytes: Self.serial))
        )
        let serials: [[UInt8]] = isRevoked ? [[0x01], Self.serial] : [[0x01]]
        setup.serverTLS.validation?.revocationList = .inline(try Self.list(of: pki.root, serials: serials))
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            // The refusal may come before the application's own connection stands.
            let client = try? await pair.connect()
            client?.send("hello")
            if isRevoked {
                _ = try await pair.logLine(.server, with: "certificate_has_been_revoked")
                _ = await pair.statistics(.server) { $0.listeners["inbound"]?.tls.verificationErrors == 1 }
            } else {
                await endpoint.connection(0).waitFor("hello")
            }
        }
        try await endpoint.stop()
    }

    @Test("Where there are lists, an issuer without one is not trusted")
    func refusesUnlisted() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        let other = try TestPKI("another issuer")
        setup.serverTLS.validation?.revocationList = .inline(try Self.list(of: other.root, serials: []))
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            _ = try? await pair.connect()  // refused before or after
            _ = try await pair.logLine(.server, with: "no_revocation_list_of_the_certificate's_issuer")
        }
        try await endpoint.stop()
    }

    @Test("A list that cannot be read is reported, not ignored", arguments: ["", "-----BEGIN X509 CRL-----\nMAA\n"])
    func reportsBrokenLists(_ text: String) async throws {
        let pki = try TestPKI()
        let broken = Array((text + "no list").utf8)
        let validation = PeerValidation(roots: .inline(try pki.rootPEM), revocationList: .inline(broken))
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints([]),
            transports: [ClientTLS(validation: validation)]
        )
        let runtime = ProxyRuntime(
            options: ProxyRuntimeOptions(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await runtime.start()
        let failures = await runtime.apply(ProxyState(revision: 1, clusters: [cluster]))
        #expect(
            failures.map(\.message) == ["cluster endpoint: inline revocation list: the revocation list is no PEM list"]
        )
        await runtime.stop()
    }
}
