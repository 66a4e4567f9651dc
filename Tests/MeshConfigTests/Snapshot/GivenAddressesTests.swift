import KubernetesAPI
import MeshModel
import Testing

@Suite struct GivenAddressesTests {
    @Test("The entries of the reference want addresses, and have those of their status")
    func reference() throws {
        let mesh = try Mesh(
            Self.database("db1", "mysql-instance1", "240.240.1.1") + Self.database("db2", "mysql-instance2")
        )

        let snapshot = mesh.snapshot

        #expect(snapshot.addressClaims.map(\.wanting.count) == [1, 1])
        #expect(snapshot.services.map { $0.addresses.map(\.description) } == [["240.240.1.1/32"], []])
        #expect(snapshot.services.map(\.hasGivenAddresses) == [true, false])
        #expect(mesh.warnings().isEmpty)
    }

    @Test(
        "Who has an address, is dialled at the real ones, or is sent datagrams, wants none",
        arguments: [
            "{hosts: [a.test], resolution: DNS, ports: [{number: 53, name: dns, protocol: UDP}]}",
            "{hosts: [a.test], addresses: [10.1.1.1], resolution: DNS, ports: [{number: 1, name: tcp}]}",
            "{hosts: [a.test], resolution: NONE, ports: [{number: 1, name: tcp}]}",
            "{hosts: ['*.a.test'], resolution: DNS, endpoints: [{address: b.test}], ports: [{number: 1, name: tcp}]}",
        ]
    )
    func wantsNone(_ spec: String) throws {
        let mesh = try Mesh(Self.entry("a", spec))

        #expect(mesh.snapshot.services.count == 1)
        #expect(mesh.snapshot.addressClaims.allSatisfy { $0.wanting.isEmpty })
    }

    @Test("The label keeps addresses away", arguments: [("false", 0), ("true", 1), ("False", 0)])
    func label(_ value: String, _ count: Int) throws {
        let spec = "{hosts: [a.test], resolution: DNS, ports: [{number: 1, name: tcp}]}"
        let labels = "{networking.istio.io/enable-autoallocate-ip: '\(value)'}"

        let mesh = try Mesh(Self.entry("a", spec, labels: labels))

        #expect(mesh.snapshot.addressClaims.map(\.wanting.count) == [count])
    }

    @Test("An entry that got an address of its own is answered by it, and still serves the one it was given")
    func former() throws {
        let spec = "{hosts: [a.test], addresses: [10.1.1.1], resolution: DNS, ports: [{number: 1, name: tcp}]}"

        let mesh = try Mesh(Self.entry("a", spec, given: ["a.test": "240.240.0.9"]))

        let service = try #require(mesh.snapshot.services.first)
        #expect(service.addresses.map(\.description) == ["10.1.1.1/32"])
        #expect(service.formerAddresses.map(\.description) == ["240.240.0.9"])
        #expect(!service.hasGivenAddresses)
    }

    @Test("A status that says what nobody gave is not believed: other ranges, other hosts, other people's addresses")
    func strangers() throws {
        let spec = "{hosts: [a.test], resolution: DNS, ports: [{number: 1, name: tcp}]}"
        let own = "{hosts: [b.test], addresses: [240.240.0.7], resolution: STATIC, ports: [{number: 1, name: tcp}]}"

        let mesh = try Mesh(
            Self.entry("a", spec, given: ["a.test": "10.214.0.7", "c.test": "240.240.0.8"]) + Self.entry("b", own)
                + Self.entry("c", spec.replacing("a.test", with: "d.test"), given: ["d.test": "240.240.0.7"])
        )

        #expect(mesh.snapshot.services.filter(\.hasGivenAddresses).isEmpty)
    }

    @Test("Of two hosts with one address the older entry has it until the ledger has settled it")
    func conflict() throws {
        let mesh = try Mesh(
            Self.database("young", "one", "240.240.1.1", createdAt: "2026-02-02T00:00:00Z")
                + Self.database("old", "two", "240.240.1.1", createdAt: "2026-01-01T00:00:00Z")
        )

        #expect(mesh.snapshot.services.map(\.source.id.name) == ["old", "young"])
        #expect(mesh.snapshot.services.map(\.hasGivenAddresses) == [true, false])
    }

    private static func database(
        _ name: String,
        _ label: String,
        _ address: String? = nil,
        createdAt: String = "2026-01-01T00:00:00Z"
    ) -> String {
        let host = "\(label).us-east-1.rds.amazonaws.com"
        let spec = "{hosts: [\(host)], ports: [{name: mysql, number: 3306, protocol: TCP}], resolution: DNS}"
        return self.entry(name, spec, given: address.map { [host: $0] } ?? [:], createdAt: createdAt)
    }

    private static func entry(
        _ name: String,
        _ spec: String,
        labels: String = "{}",
        given: [String: String] = [:],
        createdAt: String = "2026-01-01T00:00:00Z"
    ) -> String {
        let addresses = given.sorted { $0.key < $1.key }.map { "{host: \($0.key), value: \($0.value)}" }
        return """
            apiVersion: networking.istio.io/v1alpha3
            kind: ServiceEntry
            metadata: {name: \(name), namespace: ns1, creationTimestamp: "\(createdAt)", labels: \(labels)}
            spec: \(spec)
            status: {addresses: [\(addresses.joined(separator: ", "))]}
            ---

            """
    }
}
