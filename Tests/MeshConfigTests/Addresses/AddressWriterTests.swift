import Foundation
import KubernetesAPI
import LocalAPIServer
import Logging
import MeshConfig
import MeshModel
import Testing

/// The writer against a real API server.
@Suite struct AddressWriterTests {
    @Test("Two control planes write at once: each host has one address, the same for both, and nothing is left to do")
    func replicas() async throws {
        try await Self.run { client in
            for number in 1...6 { try await Self.create("db\(number)", client) }
            let (one, two) = (Self.writer(client), Self.writer(client))
            let snapshot = try await Self.snapshot(client)

            async let first = one.settle(snapshot, now: 0)
            async let second = two.settle(snapshot, now: 0)
            let reports = await [first, second]

            #expect(reports.allSatisfy { $0.failures.isEmpty })
            #expect(reports[0].written.count + reports[1].written.count == 6)
            let settled = try await Self.snapshot(client)
            #expect(Set(settled.services.flatMap(\.addresses)).count == 12)
            #expect(settled.services.allSatisfy { $0.hasGivenAddresses })
            #expect(await one.settle(settled, now: 1).written.isEmpty)
            #expect(await two.settle(settled, now: 1).written.isEmpty)
        }
    }

    @Test("A write that comes too late for an object's version is thought out again, and made if nothing else changed")
    func conflict() async throws {
        try await Self.run { client in
            try await Self.create("db", client)
            let snapshot = try await Self.snapshot(client)
            // Somebody else writes in between.
            let note: JSONValue = ["metadata": ["annotations": ["note": "hello"]]]
            _ = try await client.patch(.serviceEntries, namespace: "default", name: "db", .merge(note))

            let report = await Self.writer(client).settle(snapshot, now: 0)

            #expect(report.written.map(\.name) == ["db"])
            let object = try await client.get(.serviceEntries, namespace: "default", name: "db")
            #expect(object.annotations["note"] == "hello")
            #expect(object.status["addresses"]?.array?.count == 2)
        }
    }

    @Test("A control plane that starts later knows which addresses nobody may have yet")
    func releases() async throws {
        try await Self.run { client in
            try await Self.create("db", client)
            let writer = Self.writer(client)
            _ = await writer.settle(try await Self.snapshot(client), now: 0)
            let before = try await Self.snapshot(client).addressClaims[0].held
            _ = await writer.settle(try await Self.snapshot(client), now: 1)
            try await client.delete(.serviceEntries, namespace: "default", name: "db")
            #expect(await writer.settle(try await Self.snapshot(client), now: 2).releasedCount == 2)

            let restarted = Self.writer(client)
            #expect(await restarted.settle(try await Self.snapshot(client), now: 3).releasedCount == 2)
            try await Self.create("db", client)
            _ = await restarted.settle(try await Self.snapshot(client), now: 4)

            #expect(try await Self.snapshot(client).addressClaims[0].held == before)
            #expect(await Self.writer(client).settle(try await Self.snapshot(client), now: 5).releasedCount == 0)
        }
    }

    private static func writer(_ client: KubernetesClient) -> AddressWriter {
        AddressWriter(
            client: client,
            namespace: "istio-system",
            ledger: AddressLedger(ranges: VirtualAddressRanges(), drainTime: 100)
        )
    }

    private static func create(_ name: String, _ client: KubernetesClient) async throws {
        var object = KubernetesObject(.serviceEntries, namespace: "default", name: name)
        object.spec = [
            "hosts": [.string("\(name).example")], "resolution": "DNS",
            "ports": [["number": 3306, "name": "mysql", "protocol": "TCP"]],
        ]
        _ = try await client.create(.serviceEntries, object)
    }

    private static func snapshot(_ client: KubernetesClient) async throws -> MeshSnapshot {
        var objects = MeshObjects()
        _ = objects.apply(.serviceEntry, .replacedAll(try await client.list(.serviceEntries).items))
        return SnapshotBuilder.build(objects, revision: 1)
    }

    private static func run(_ body: @escaping @Sendable (KubernetesClient) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // the system empties this folder as well
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
                _ = try await client.create(.namespaces, KubernetesObject(.namespaces, name: "istio-system"))
                let text = try String(contentsOfFile: Self.definitions, encoding: .utf8)
                for document in try YAML.documents(text) {
                    let object = KubernetesObject(json: document.value)
                    guard object.name.hasPrefix("serviceentries.") else { continue }
                    _ = try await client.create(.customResourceDefinitions, object)
                }
                try await body(client)
            } catch {
                await client.shutdown()
                throw error
            }
            await client.shutdown()
            group.cancelAll()
        }
    }

    private static let definitions =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../deploy/crds.yaml")
        .standardized.path
}
