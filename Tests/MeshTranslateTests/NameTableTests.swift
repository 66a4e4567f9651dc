import MeshModel
import MeshTranslate
import Testing
import XDSAPI

@Suite struct NameTableTests {
    private static let db = "db.default.svc.cluster.local"

    private func mesh(_ instances: [(String, String?)]) throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.214.0.1", ports: ["http": 80])
        try mesh.service("db", ip: nil, ports: ["mysql": 3306], endpoints: ["10.213.1.1": [:]], isHeadless: true)
        try mesh.edit { snapshot in
            snapshot.instances[ServiceKey(snapshot.services[1])] = try instances.map { text, name in
                ServiceInstance(address: try address(text), hostName: name)
            }
        }
        return mesh
    }

    @Test("A headless service leads to its instances; those with a host name have a name each")
    func headless() throws {
        let names = try self.mesh([("10.213.1.1", "db-0"), ("10.213.1.2", nil)]).resources().nameTable.table

        #expect(names[Self.db]?.ips == ["10.213.1.1", "10.213.1.2"])
        #expect(names[Self.db]?.instances == ["db-0"])
        #expect(names["db-0.\(Self.db)"]?.ips == ["10.213.1.1"])
        // As Istio's agent completes it to `db-0.db.default`.
        #expect(names["db-0.\(Self.db)"]?.shortname == "db-0.db")
    }

    @Test("Without an endpoint the name is there and has no address")
    func noEndpoint() throws {
        let table = try self.mesh([]).resources().nameTable

        #expect(table.table[Self.db] == nil)
        #expect(table.unaddressed[Self.db]?.ips == [])
    }

    @Test("An ExternalName is an alias, which Istio's agent does not see")
    func alias() throws {
        var mesh = MeshBuilder()
        try mesh.service("out", ip: nil, ports: [:])
        try mesh.edit { snapshot in
            snapshot.services[0].resolution = .dns(roundRobin: false)
            snapshot.services[0].alias = try host("www.outside.test")
        }

        let table = try mesh.resources().nameTable

        #expect(table.table.isEmpty)
        #expect(table.unaddressed["out.default.svc.cluster.local"]?.alias == "www.outside.test")
    }

    @Test("Named ports are told; of a headless service those that its endpoints listen on")
    func ports() throws {
        var mesh = try self.mesh([("10.213.1.1", nil)])
        try mesh.edit { snapshot in
            snapshot.endpoints[ServiceKey(snapshot.services[1])]?[0].port = try port(33060)
        }

        let names = try mesh.resources().nameTable.table

        #expect(names["web.default.svc.cluster.local"]?.ports.map { "\($0.name) \($0.port)" } == ["http 80"])
        #expect(names[Self.db]?.ports.map { "\($0.name) \($0.port)" } == ["mysql 33060"])
    }

    @Test("Hosts of ServiceEntries: wildcards with an address are names, hosts without one are not")
    func entries() throws {
        var mesh = MeshBuilder()
        try mesh.entry("*.wild.test", addresses: ["240.240.0.1"], port: 443, .tls)
        try mesh.entry("by-name.test", port: 443, .tls, resolution: .dns(roundRobin: false))
        try mesh.entry("block.test", addresses: ["10.9.0.0/16"], port: 3306, .tcp)
        try mesh.entry("two.test", addresses: ["10.0.0.1"], port: 80, .http)
        try mesh.entry("two.test", addresses: ["10.0.0.2", "10.0.0.1"], port: 81, .http)

        let table = try mesh.resources().nameTable

        #expect(
            table.table.mapValues(\.ips) == ["*.wild.test": ["240.240.0.1"], "two.test": ["10.0.0.1", "10.0.0.2"]]
        )
        #expect(table.unaddressed.isEmpty)
    }

    @Test("What is told of changed instances is that part of the whole")
    func changed() throws {
        let mesh = try self.mesh([("10.213.1.1", "db-0"), ("10.213.1.2", nil)])
        let proxy = ProxyKey(
            role: .sidecar,
            address: try address("10.213.9.9"),
            workload: ObjectID(namespace: "default", name: "client"),
            dnsDomain: "default.svc.cluster.local"
        )
        let key = OutboundKey(proxy, labels: [])

        let part = Translator.headless([ServiceKey(mesh.snapshot.services[1])], for: key, in: mesh.snapshot)

        let all = Translator.outbound(of: key, in: mesh.snapshot)
        #expect(part.listeners == all.listeners)
        #expect(part.nameTable.table == all.nameTable.table.filter { $0.key.hasSuffix(Self.db) })
    }

    @Test("Where a proxy does not see the service, its host may be another entry's, which stays")
    func sameHost() throws {
        var mesh = try self.mesh([("10.213.1.1", nil)])
        try mesh.entry(Self.db, namespace: "other", addresses: ["240.240.0.7"], port: 3306, .mysql)
        mesh.edit { $0.services[1].visibility = .namespaces(["default"]) }
        let proxy = ProxyKey(
            role: .sidecar,
            address: try address("10.213.9.9"),
            workload: ObjectID(namespace: "other", name: "client"),
            dnsDomain: "other.svc.cluster.local"
        )

        let part = Translator.headless(
            [ServiceKey(mesh.snapshot.services[1])],
            for: OutboundKey(proxy, labels: []),
            in: mesh.snapshot
        )

        #expect(part.nameTable.table[Self.db]?.ips == ["240.240.0.7"])
    }
}
