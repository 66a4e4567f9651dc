import Logging
import MeshModel
import MeshPush
import Testing

@Suite struct PushServerTests {
    @Test("The first endpoint of a service goes out at once, with what was gathered", .timeLimit(.minutes(1)))
    func firstEndpoint() async throws {
        let port = try #require(Port(80))
        let service = Service(
            host: try #require(HostName("web.default.svc.cluster.local")),
            ports: [ServicePort(name: "http", port: port, applicationProtocol: .http)],
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "default", name: "web"))
        )
        let key = ServiceKey(service)
        var snapshot = MeshSnapshot(revision: 1)
        snapshot.services = [service]
        var debounce = Gathering.Debounce()
        // Nothing else ends the pause within the test's time.
        debounce.quiet = .seconds(3600)
        debounce.max = .seconds(3600)
        let push = PushServer(debounce: debounce, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await push.run() }
            push.update(snapshot)
            snapshot.revision = 2
            snapshot.endpoints[key] = [
                Endpoint(address: .ip(try #require(IPAddress("10.213.1.1"))), port: port, servicePortName: "http")
            ]
            push.update(snapshot, services: [key])
            await push.waitForFirst()
            #expect(push.snapshot.revision == 2)
            group.cancelAll()
        }
    }
}
