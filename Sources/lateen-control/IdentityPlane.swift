import CertificateAuthority
import Foundation
import GRPCCore
import IdentityServer
import KubernetesAPI
import Logging
import MeshModel
import MeshPush
import ServiceLifecycle

/// The parts that give workloads their identity, and the socket that proxies connect to.
struct IdentityPlane {
    let statistics = AuthorityStatistics()
    private let authority = CurrentAuthority()
    private let distributor: RootDistributor
    private let keeper: AuthorityKeeper
    private let credentials: ServerCredentials
    private let callers: CallerAuthenticator
    private let logger: Logger

    init(client: KubernetesClient, push: PushServer, options: IdentityOptions, service: ServiceNames, logger: Logger) {
        let trustDomain: @Sendable () -> String = { push.snapshot.settings.trustDomain }
        let distributor = RootDistributor(client: client, current: self.authority, logger: logger)
        self.distributor = distributor
        self.keeper = AuthorityKeeper(
            client: client,
            settings: options.keeperSettings(namespace: service.namespace, domain: service.domain),
            current: self.authority,
            statistics: self.statistics,
            isDistributed: distributor.isDistributed,
            logger: logger
        )
        self.credentials = ServerCredentials(
            names: ServerCredentials.names(
                service: service.name,
                namespace: service.namespace,
                domain: service.domain
            ),
            logger: logger
        )
        self.callers = CallerAuthenticator(
            tokens: TokenReviewer(client: client, trustDomain: trustDomain),
            trustDomain: trustDomain,
            logger: logger
        )
        self.logger = logger
    }

    /// How the control plane is called in the cluster.
    struct ServiceNames {
        var name: String
        var namespace: String
        var domain: String
    }

    /// What keeps the authority.
    var services: [any ServiceLifecycle.Service] {
        [
            RunningService("authority") { [keeper] in await keeper.run() },
            RunningService("roots") { [distributor] in await distributor.run() },
        ]
    }

    /// Serves certificates and configuration over TLS, once there is an authority and something to push.
    func serve(host: String, port: Int, push: PushServer) async throws {
        for await _ in self.authority.changes() {
            guard let present = self.authority.present else { continue }
            _ = try self.credentials.refresh(present, now: Date())
            break
        }
        await push.waitForFirst()
        try Task.checkCancellation()
        let server = IdentityServer(
            host: host,
            port: port,
            credentials: self.credentials,
            services: [
                CertificateService(
                    authority: self.authority,
                    callers: self.callers,
                    statistics: self.statistics,
                    logger: self.logger
                ),
                ADSService(server: push, authenticator: self.callers, logger: self.logger),
            ]
        )
        self.logger.info("serving proxies", metadata: ["port": "\(port)"])
        let (credentials, authority) = (self.credentials, self.authority)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await credentials.run(authority) }
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
