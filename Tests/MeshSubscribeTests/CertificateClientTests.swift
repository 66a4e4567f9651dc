import CertificateAuthority
import Crypto
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import MeshModel
import MeshSubscribe
import SwiftASN1
import SwiftProtobuf
import Synchronization
import Testing
import X509
import XDSAPI

@Suite struct CertificateClientTests {
    /// Answers every request and remembers the last one.
    private final class Service: Istio_V1_Auth_IstioCertificateService.ServiceProtocol {
        struct Seen {
            var csr = ""
            var seconds: Int64 = 0
            var authorization: [String] = []
        }

        let seen = Mutex(Seen())
        let answer: [String]

        init(answer: [String]) { self.answer = answer }

        func createCertificate(
            request: ServerRequest<Istio_V1_Auth_IstioCertificateRequest>,
            context: ServerContext
        ) async throws -> ServerResponse<Istio_V1_Auth_IstioCertificateResponse> {
            self.seen.withLock {
                $0.csr = request.message.csr
                $0.seconds = request.message.validityDuration
                $0.authorization = Array(request.metadata[stringValues: "authorization"])
            }
            return ServerResponse(message: .with { $0.certChain = self.answer })
        }
    }

    /// Runs `body` beside a server on a port of 127.0.0.1.
    private func serving(
        _ service: Service,
        security: HTTP2ServerTransport.Posix.TransportSecurity = .plaintext,
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: security
        )
        try await withGRPCServer(transport: transport, services: [service]) { server in
            let address = try await server.transport.listeningAddress
            try await body(try #require(address.ipv4?.port))
        }
    }

    private func authority() throws -> CertificateAuthority {
        let files = try CertificateAuthority.selfSigned(organization: "test", now: Date())
        return try CertificateAuthority(files: files, policy: IssuancePolicy(), now: Date())
    }

    private func credential(
        _ authority: CertificateAuthority,
        uris: [String] = [],
        dnsNames: [String] = []
    ) throws -> TLSCredential {
        let key = P256.Signing.PrivateKey()
        let issued = try authority.issue(
            uris: uris,
            dnsNames: dnsNames,
            to: Certificate.PrivateKey(key).publicKey,
            from: Date(timeIntervalSinceNow: -60),
            until: Date(timeIntervalSinceNow: 3600)
        )
        return TLSCredential(
            certificateChain: Array(try issued.chain.joined().utf8),
            privateKey: Array(key.pemRepresentation.utf8),
            roots: Array(try authority.root.serializeAsPEM().pemString.utf8)
        )
    }

    private func mutual(_ credential: TLSCredential) -> HTTP2ServerTransport.Posix.TransportSecurity {
        .mTLS(
            certificateChain: [.bytes(credential.certificateChain, format: .pem)],
            privateKey: .bytes(credential.privateKey, format: .pem)
        ) { $0.trustRoots = .certificates([.bytes(credential.roots, format: .pem)]) }
    }

    private func access(
        _ port: Int,
        serverName: String,
        roots: [UInt8],
        certificate: TLSCredential?
    ) -> ControlPlaneAccess {
        ControlPlaneAccess(
            host: "127.0.0.1",
            port: port,
            security: { .tls(.init(serverName: serverName, roots: roots, certificate: certificate)) },
            token: { "token" }
        )
    }

    @Test("The request, its life and the token arrive, and the chain comes back")
    func asks() async throws {
        let service = Service(answer: ["leaf", "root"])
        try await self.serving(service) { port in
            let access = ControlPlaneAccess(host: "127.0.0.1", port: port, token: { "abc" })

            let chain = try await CertificateClient(access: access).certificates(for: "csr", lifetime: .seconds(60))

            #expect(chain == ["leaf", "root"])
            #expect(service.seen.withLock { $0.csr } == "csr")
            #expect(service.seen.withLock { $0.seconds } == 60)
            #expect(service.seen.withLock { $0.authorization } == ["Bearer abc"])
        }
    }

    @Test("Over mutual TLS both sides are checked")
    func mutualTLS() async throws {
        let authority = try self.authority()
        let server = try self.credential(authority, dnsNames: ["istiod.istio-system.svc"])
        let client = try self.credential(authority, uris: ["spiffe://cluster.local/ns/a/sa/b"])
        let service = Service(answer: ["leaf"])
        try await self.serving(service, security: self.mutual(server)) { port in
            let good = self.access(
                port,
                serverName: "istiod.istio-system.svc",
                roots: server.roots,
                certificate: client
            )
            let chain = try await CertificateClient(access: good).certificates(for: "csr", lifetime: .seconds(60))
            #expect(chain == ["leaf"])

            let nobody = self.access(
                port,
                serverName: "istiod.istio-system.svc",
                roots: server.roots,
                certificate: nil
            )
            await #expect(throws: CertificateClient.Refusal.self) {
                try await CertificateClient(access: nobody, timeout: .seconds(2))
                    .certificates(for: "csr", lifetime: .seconds(60))
            }
        }
    }

    @Test("A control plane with another name or another root gets no token")
    func impostors() async throws {
        let authority = try self.authority()
        let server = try self.credential(authority, dnsNames: ["evil.example"])
        let otherRoot = try self.credential(self.authority()).roots
        let service = Service(answer: ["leaf"])
        let security = HTTP2ServerTransport.Posix.TransportSecurity.tls(
            certificateChain: [.bytes(server.certificateChain, format: .pem)],
            privateKey: .bytes(server.privateKey, format: .pem)
        )
        try await self.serving(service, security: security) { port in
            let byName = self.access(
                port,
                serverName: "istiod.istio-system.svc",
                roots: server.roots,
                certificate: nil
            )
            let byRoot = self.access(port, serverName: "evil.example", roots: otherRoot, certificate: nil)
            for access in [byName, byRoot] {
                await #expect(throws: CertificateClient.Refusal.self) {
                    try await CertificateClient(access: access, timeout: .seconds(2))
                        .certificates(for: "csr", lifetime: .seconds(60))
                }
            }
            #expect(service.seen.withLock { $0.authorization }.isEmpty)
        }
    }

    @Test("An answer without certificates is no certificate")
    func empty() async throws {
        try await self.serving(Service(answer: [])) { port in
            let access = ControlPlaneAccess(host: "127.0.0.1", port: port)

            await #expect(throws: CertificateClient.Refusal.self) {
                try await CertificateClient(access: access).certificates(for: "csr", lifetime: .seconds(60))
            }
        }
    }

    @Test("Where an address was dialled the control plane's name is that of its service")
    func names() {
        #expect(ControlPlaneAccess.serverName(of: "10.1.2.3") == "istiod.istio-system.svc")
        #expect(ControlPlaneAccess.serverName(of: "istiod.mesh.svc") == "istiod.mesh.svc")
    }
}
