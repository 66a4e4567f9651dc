import KubernetesAPI
import Logging
import MeshModel
import MeshPush
import Testing
import WorkloadRegistration

/// Machines that come while the API server does not say what there is.
@Suite struct WorkloadRegistrarTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// It is not run, so that nothing is ever listed.
    private static func registrar(_ client: KubernetesClient, limit: Duration) -> WorkloadRegistrar {
        WorkloadRegistrar(
            client: client,
            controller: "istiod-1",
            namespace: "istio-system",
            syncLimit: limit,
            logger: Self.logger
        )
    }

    private static func client() throws -> KubernetesClient {
        try KubernetesClient(configuration: ClientConfiguration(server: "http://127.0.0.1:1"), logger: Self.logger)
    }

    private static func connection() -> ProxyConnection {
        var proxy = ProxyKey(
            role: .sidecar,
            address: .v4(0x0A01_0007),
            workload: ObjectID(namespace: "vm", name: "db-1"),
            dnsDomain: "vm.svc.cluster.local"
        )
        proxy.serviceAccount = "mysql"
        return ProxyConnection(id: 1, proxy: proxy, metadata: ["AUTO_REGISTER_GROUP": "db"])
    }

    @Test("A machine waits for so long and no longer, and is told to come again")
    func limit() async throws {
        let client = try Self.client()
        let registrar = Self.registrar(client, limit: .milliseconds(10))

        let refusal = await #expect(throws: ProxyRefusal.self) { try await registrar.connected(Self.connection()) }

        #expect(refusal?.code == .unavailable)
        await client.shutdown()
    }

    @Test("A machine that has gone meanwhile is not waited with", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        let client = try Self.client()
        let registrar = Self.registrar(client, limit: .seconds(3600))
        let waiting = Task { try await registrar.connected(Self.connection()) }

        waiting.cancel()

        await #expect(throws: CancellationError.self) { try await waiting.value }
        await client.shutdown()
    }
}
