import MeshModel
import MeshPush
import Testing

@Suite struct SnapshotChangeTests {
    @Test("Snapshots that differ in revision and findings only are the same to proxies")
    func nothing() throws {
        let old = try Self.snapshot(addresses: ["10.213.1.1"])
        var new = old
        new.revision += 1
        new.diagnoses = [
            Diagnosis(severity: .warning, object: old.services[0].source, message: "looks odd")
        ]

        #expect(SnapshotChange(from: old, to: new) == .nothing)
    }

    @Test("An endpoint that comes concerns its service, and the proxy beside it")
    func endpoint() throws {
        let old = try Self.snapshot(addresses: ["10.213.1.1"])
        let new = try Self.snapshot(addresses: ["10.213.1.1", "10.213.1.2"])

        guard case .endpoints(let change) = SnapshotChange(from: old, to: new) else {
            Issue.record("not a change of endpoints alone")
            return
        }
        #expect(change.services == [ServiceKey(new.services[0])])
        #expect(change.concerns(try Self.proxy("10.213.1.2")))
        #expect(!change.concerns(try Self.proxy("10.213.1.1")))
    }

    @Test("Endpoints that also stand in listeners or clusters change everything")
    func everything() throws {
        for alter in [
            { (service: inout Service) in service.isHeadless = true },
            { (service: inout Service) in service.resolution = .dns(roundRobin: false) },
        ] {
            var old = try Self.snapshot(addresses: ["10.213.1.1"])
            var new = try Self.snapshot(addresses: ["10.213.1.2"])
            alter(&old.services[0])
            alter(&new.services[0])

            #expect(SnapshotChange(from: old, to: new) == .everything)
        }
        let old = try Self.snapshot(addresses: [])
        var new = old
        new.settings.outboundPolicy = .allowAny
        #expect(SnapshotChange(from: old, to: new) == .everything)
    }

    private static func snapshot(addresses: [String]) throws -> MeshSnapshot {
        let port = try #require(Port(80))
        let service = Service(
            host: try #require(HostName("web.default.svc.cluster.local")),
            ports: [ServicePort(name: "http", port: port, applicationProtocol: .http)],
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "default", name: "web"))
        )
        var snapshot = MeshSnapshot(revision: 1)
        snapshot.services = [service]
        snapshot.endpoints[ServiceKey(service)] = try addresses.map { text in
            Endpoint(
                address: .ip(try #require(IPAddress(text))),
                port: port,
                servicePortName: "http",
                workload: ObjectID(namespace: "default", name: "web-\(text)")
            )
        }
        return snapshot
    }

    private static func proxy(_ text: String) throws -> ProxyKey {
        ProxyKey(
            role: .sidecar,
            address: try #require(IPAddress(text)),
            workload: ObjectID(namespace: "default", name: "web-\(text)"),
            dnsDomain: "default.svc.cluster.local"
        )
    }
}
