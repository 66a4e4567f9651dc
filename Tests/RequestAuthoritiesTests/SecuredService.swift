import CertificateAuthority
import Crypto
import Foundation
import Logging
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine
import X509

/// A service on loopback with a proxy in front of it that takes mutual TLS off, as a sidecar does, and the proxy of
/// somebody who asks it.
struct SecuredService {
    static let asker = "spiffe://cluster.local/ns/shop/sa/frontend"
    static let service = "spiffe://cluster.local/ns/security/sa/decider"

    /// Where the service is asked.
    let endpoint: ServiceEndpoint
    /// Connections as the asking proxy makes them.
    let connector: ServiceConnector
    private let client: ProxyRuntime
    private let secrets: [String: TLSSecret]

    /// - Parameters:
    ///   - port: of the service, in plain.
    ///   - expected: whose certificate is accepted.
    ///   - body: asks.
    /// - Throws: what `body` throws, or why no proxy could be started.
    static func run(
        port: UInt16,
        expecting expected: String = Self.service,
        _ body: (SecuredService) async throws -> Void
    ) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let connector = ServiceConnector()
        var options = ProxyRuntimeOptions()
        options.serviceConnector = connector
        let client = ProxyRuntime(options: options, logger: logger)
        let server = ProxyRuntime(options: ProxyRuntimeOptions(), logger: logger)
        let files = try CertificateAuthority.selfSigned(organization: "test", now: Date())
        let authority = try CertificateAuthority(files: files, policy: IssuancePolicy(), now: Date())
        try await server.start()
        try await client.start()
        let chain = FilterChain(
            name: "secure",
            tls: ServerTLS(
                certificates: [.secret(TLSSecret.ownCertificate)],
                validation: PeerValidation(roots: .secret(TLSSecret.meshRoots)),
                requiresClientCertificate: true
            ),
            terminal: .tcp(
                TCPProxy(
                    statPrefix: "test",
                    clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "service")]
                )
            )
        )
        _ = await server.apply(
            ProxyState(
                revision: 1,
                listeners: [
                    Listener(
                        name: "inbound",
                        address: NetworkAddress(ip: .v4(0x7f00_0001), port: 0),
                        chains: [chain],
                        inspectsTLS: true
                    )
                ],
                clusters: [Self.cluster(port: port, tls: nil)],
                secrets: try Self.secrets(authority, Self.service)
            )
        )
        let securePort = try #require(server.boundAddresses()["inbound"]?.port)
        let endpoint = ServiceEndpoint(
            address: NetworkAddress(ip: .v4(0x7f00_0001), port: securePort),
            cluster: ClusterID(index: 0)
        )
        let secured = SecuredService(
            endpoint: endpoint,
            connector: connector,
            client: client,
            secrets: try Self.secrets(authority, Self.asker)
        )
        await secured.use(
            ClientTLS(
                certificate: .secret(TLSSecret.ownCertificate),
                validation: PeerValidation(
                    roots: .secret(TLSSecret.meshRoots),
                    names: [PeerValidation.Name(kind: .uri, match: .exact(expected))]
                ),
                serverName: "outbound_.9000_._.decider.security.svc.cluster.local"
            )
        )
        let result: Result<Void, any Error>
        do { result = .success(try await body(secured)) } catch { result = .failure(error) }
        await client.stop()
        await server.stop()
        try result.get()
    }

    /// The configuration says something else of connections to the service.
    func use(_ tls: ClientTLS?) async {
        let cluster = Self.cluster(port: self.endpoint.address.port, tls: tls)
        _ = await self.client.apply(ProxyState(revision: 1, clusters: [cluster], secrets: self.secrets))
    }

    private static func cluster(port: UInt16, tls: ClientTLS?) -> Cluster {
        Cluster(
            id: ClusterID(index: 0),
            name: "service",
            discovery: .endpoints([
                ClusterEndpoint(address: NetworkAddress(ip: .v4(0x7f00_0001), port: port))
            ]),
            transports: [tls]
        )
    }

    private static func secrets(
        _ authority: CertificateAuthority,
        _ identity: String
    ) throws -> [String: TLSSecret] {
        let key = P256.Signing.PrivateKey()
        let issued = try authority.issue(
            uris: [identity],
            to: Certificate.PublicKey(key.publicKey),
            from: Date(timeIntervalSinceNow: -60),
            until: Date(timeIntervalSinceNow: 3600)
        )
        let roots = try issued.answer.last ?? ""
        return [
            TLSSecret.ownCertificate: .certificate(
                TLSCredential(
                    certificateChain: Array(try issued.chain.joined().utf8),
                    privateKey: Array(key.pemRepresentation.utf8)
                )
            ),
            TLSSecret.meshRoots: .validation(roots: Array(roots.utf8), revocationList: []),
        ]
    }
}
