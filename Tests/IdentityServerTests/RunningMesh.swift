import CertificateAuthority
import Foundation
import IdentityServer
import KubernetesAPI
import LocalAPIServer
import Logging
import MeshModel
import MeshPush
import MeshSubscribe
import Synchronization
import WorkloadIdentity

/// An API server and an authority beside it, on free ports, for the time of one test.
struct RunningMesh: Sendable {
    struct GaveUp: Error {}

    let client: KubernetesClient
    let current: CurrentAuthority
    let distributor: RootDistributor
    let statistics: AuthorityStatistics
    let port: Int

    static let namespace = "istio-system"

    /// Runs `body` once certificates are served; `prepare` may put Secrets there before.
    static func run(
        rotation: RootRotation.Settings = .init(),
        prepare: @escaping @Sendable (KubernetesClient) async throws -> Void = { _ in },
        _ body: @escaping @Sendable (RunningMesh) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = LocalAPIServer(
            configuration: APIServerConfiguration(stateFolder: folder, port: 0),
            backend: NoPodBackend(),
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.waitUntilReady()
            let path = folder.appendingPathComponent("kubeconfig").path
            let client = try KubernetesClient(configuration: try .kubeconfig(path: path), logger: logger)
            do {
                _ = try await client.create(.namespaces, KubernetesObject(.namespaces, name: Self.namespace))
                try await prepare(client)
                try await self.serve(client, rotation, logger, body)
            } catch {
                await client.shutdown()
                throw error
            }
            await client.shutdown()
            group.cancelAll()
        }
    }

    private static func serve(
        _ client: KubernetesClient,
        _ rotation: RootRotation.Settings,
        _ logger: Logger,
        _ body: @escaping @Sendable (RunningMesh) async throws -> Void
    ) async throws {
        let current = CurrentAuthority()
        let statistics = AuthorityStatistics()
        let distributor = RootDistributor(client: client, current: current, logger: logger)
        var settings = AuthorityKeeper.Settings()
        settings.rotation = rotation
        settings.tick = .milliseconds(20)
        let keeper = AuthorityKeeper(
            client: client,
            settings: settings,
            current: current,
            statistics: statistics,
            isDistributed: distributor.isDistributed,
            logger: logger
        )
        let credentials = ServerCredentials(
            names: ServerCredentials.names(service: "istiod", namespace: Self.namespace, domain: "cluster.local"),
            logger: logger
        )
        let callers = CallerAuthenticator(
            tokens: TokenReviewer(client: client, trustDomain: { "cluster.local" }),
            trustDomain: { "cluster.local" },
            logger: logger
        )
        let server = IdentityServer(
            host: "127.0.0.1",
            port: 0,
            credentials: credentials,
            services: [
                CertificateService(authority: current, callers: callers, statistics: statistics, logger: logger),
                ADSService(server: PushServer(logger: logger), authenticator: callers, logger: logger),
            ]
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.run() }
            group.addTask { await distributor.run() }
            for await _ in current.changes() where current.present != nil { break }
            guard let present = current.present else { throw GaveUp() }
            _ = try credentials.refresh(present, now: Date())
            group.addTask { await credentials.run(current) }
            group.addTask { try await server.run() }
            guard let port = await server.port() else { throw GaveUp() }
            try await body(
                RunningMesh(
                    client: client,
                    current: current,
                    distributor: distributor,
                    statistics: statistics,
                    port: port
                )
            )
            group.cancelAll()
        }
    }

    /// A token for a service account, as a projected volume would hold it.
    func token(_ account: String, audience: String = "istio-ca", namespace: String = "default") async throws -> String {
        let answer = try await self.client.send(
            .POST,
            ResourceType.serviceAccounts.path(namespace: namespace, name: account, subresource: "token"),
            body: [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": ["audiences": [.string(audience)], "expirationSeconds": 3600],
            ]
        )
        guard let token = answer[path: "status", "token"]?.string else { throw GaveUp() }
        return token
    }

    /// Asks for a certificate like a proxy does.
    func certificates(
        token: String?,
        credential: TLSCredential? = nil,
        key: WorkloadKey? = nil,
        asks identity: String = "spiffe://cluster.local/ns/evil/sa/evil"
    ) async throws -> [String] {
        guard let wanted = WorkloadID(identity), let bundle = self.current.present?.bundle else { throw GaveUp() }
        let request = try (key ?? WorkloadKey(.ecdsaP256)).signingRequest(for: wanted)
        let access = ControlPlaneAccess(
            host: "127.0.0.1",
            port: self.port,
            security: {
                .tls(.init(serverName: "istiod.istio-system.svc", roots: Array(bundle.utf8), certificate: credential))
            },
            token: { token }
        )
        return try await CertificateClient(access: access).certificates(for: request, lifetime: .seconds(3600))
    }

    /// Follows objects until one is as it should be.
    func wait(
        for type: ResourceType,
        namespace: String? = nil,
        until isRight: @escaping @Sendable (KubernetesObject) -> Bool
    ) async throws -> KubernetesObject {
        let (stream, source) = AsyncStream.makeStream(of: KubernetesObject.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.client.reflect(type, namespace: namespace) { change in
                    switch change {
                    case .replacedAll(let all): for object in all { source.yield(object) }
                    case .added(let object), .modified(let object): source.yield(object)
                    case .deleted: ()
                    }
                }
            }
            defer { group.cancelAll() }
            for await object in stream where isRight(object) { return object }
            throw GaveUp()
        }
    }
}
