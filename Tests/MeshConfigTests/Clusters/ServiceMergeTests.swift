import Foundation
import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct ServiceMergeTests {
    private func service(_ name: String, _ snapshot: MeshSnapshot) throws -> MeshModel.Service {
        try #require(snapshot.services.first { $0.source.id.name == name })
    }

    @Test("A service that another cluster alone has is there with its address, and its endpoints say where they are")
    func remoteOnly() throws {
        let clusters = try TwoClusters(
            west: TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5")
        )

        let snapshot = clusters.snapshot

        let service = try self.service("reviews", snapshot)
        #expect(service.host.text == "reviews.default.svc.cluster.local")
        #expect(service.addresses.map(\.description) == ["10.218.0.7/32"])
        #expect(service.cluster == "west")
        let endpoints = snapshot.endpoints[ServiceKey(service)] ?? []
        #expect(endpoints.map(\.cluster) == ["west"])
        #expect(endpoints.map(\.network) == ["west"])
        #expect(endpoints.map(\.locality) == [Locality(region: "west", zone: "west-a")])
        #expect(endpoints.map(\.serviceAccount) == ["reviews"])
    }

    @Test("A service that both have is one, with the local address and the endpoints of both")
    func both() throws {
        let clusters = try TwoClusters(
            local: TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5")
        )

        let snapshot = clusters.snapshot

        #expect(snapshot.services.count == 1)
        let service = try self.service("reviews", snapshot)
        #expect(service.addresses.map(\.description) == ["10.214.0.7/32"])
        #expect(service.cluster.isEmpty)
        #expect(snapshot.endpoints[ServiceKey(service)]?.map(\.cluster) == ["", "west"])
        #expect(snapshot.endpoints[ServiceKey(service)]?.map(\.locality.region) == ["main", "west"])
    }

    @Test("Endpoints come and go with the other cluster's, and a snapshot built on equals one from scratch")
    func changes() throws {
        var clusters = try TwoClusters(
            local: TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5")
        )
        let before = clusters.snapshot

        let change = clusters.west.delete(.endpointSlice, "reviews-1")

        let after = SnapshotBuilder.rebuild(
            before,
            after: change,
            of: clusters.local.objects,
            remotes: clusters.remotes,
            revision: 2
        )
        let key = ServiceKey(try self.service("reviews", after))
        #expect(after.endpoints[key]?.map(\.cluster) == [""])
        #expect(after.endpoints == clusters.snapshot.endpoints)
    }

    @Test(
        "What is each cluster's own stays so",
        arguments: [
            TwoClusters.service("kubernetes", address: "10.218.0.1", pod: "10.217.0.1"),
            TwoClusters.service("kube-dns", address: "10.218.0.10", pod: "10.217.0.1", namespace: "kube-system"),
            TwoClusters.service("mysql", address: "None", pod: "10.217.1.5"),
        ]
    )
    func clusterLocal(_ west: String) throws {
        #expect(try TwoClusters(west: west).snapshot.services.isEmpty)
    }

    @Test("A host that the settings call local has endpoints of our cluster alone")
    func setting() throws {
        let settings = """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: istio, namespace: istio-system}
            data:
              mesh: |
                serviceSettings:
                - settings: {clusterLocal: true}
                  hosts: ["*.default.svc.cluster.local"]
            ---

            """
        let clusters = try TwoClusters(
            local: settings + TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5")
        )

        let snapshot = clusters.snapshot

        #expect(snapshot.endpoints.values.flatMap { $0 }.map(\.cluster) == [""])
    }

    @Test("An address that something here has already is not taken; the service gets another that stays the same")
    func collision() throws {
        let clusters = try TwoClusters(
            local: TwoClusters.service("ratings", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.217.1.5")
        )

        let address = try self.service("reviews", clusters.snapshot).addresses.first

        let block = try #require(CIDR("240.242.0.0/16"))
        #expect(address.map { block.contains($0.network) } == true)
        #expect(try self.service("reviews", clusters.snapshot).addresses.first == address)
        #expect(try self.service("ratings", clusters.snapshot).addresses.map(\.description) == ["10.214.0.7/32"])
    }

    @Test("An address that a pod here has is not taken, also when the pod comes later")
    func podCollision() throws {
        var clusters = try TwoClusters(
            west: TwoClusters.service("reviews", address: "10.213.1.5", pod: "10.217.1.5")
        )
        let before = clusters.snapshot
        #expect(try self.service("reviews", before).addresses.map(\.description) == ["10.213.1.5/32"])

        let changes = try clusters.local.apply(
            TwoClusters.service("ratings", address: "10.214.0.7", pod: "10.213.1.5").components(
                separatedBy: "---\n"
            )[2]
        )

        let block = try #require(CIDR("240.242.0.0/16"))
        let after = SnapshotBuilder.rebuild(
            before,
            after: try #require(changes.first),
            of: clusters.local.objects,
            remotes: clusters.remotes,
            revision: 2
        )
        let address = try #require(try self.service("reviews", after).addresses.first)
        #expect(block.contains(address.network))
        #expect(after.services == clusters.snapshot.services)
    }

    @Test("Another block for such addresses is used")
    func otherBlock() throws {
        let clusters = try TwoClusters(
            local: TwoClusters.service("ratings", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.217.1.5")
        )
        var ranges = VirtualAddressRanges()
        ranges.remoteV4 = try #require(CIDR("100.127.0.0/24"))
        var local = Mesh(virtualAddresses: ranges)
        try local.apply(
            TwoClusters.network("main")
                + TwoClusters.service("ratings", address: "10.214.0.7", pod: "10.213.1.5")
        )

        let snapshot = SnapshotBuilder.build(local.objects, remotes: clusters.remotes, revision: 1)

        let address = try #require(try self.service("reviews", snapshot).addresses.first)
        #expect(ranges.remoteV4.contains(address.network))
    }

    @Test("The Service with a network's label is the way into it, by its address outside and the port of gateways")
    func gateways() throws {
        let clusters = try TwoClusters(west: TwoClusters.gateway("west", address: "10.216.2.1"))

        let snapshot = clusters.snapshot

        let expected = NetworkGateway(
            address: try #require(IPAddress("10.216.2.1")),
            port: try #require(Port(15443))
        )
        #expect(snapshot.networkGateways == ["west": [expected]])
        #expect(snapshot.network == "main")
        #expect(!snapshot.diagnoses.contains { $0.object.kind == "RemoteCluster" })
    }

    @Test("A network that nobody can get to is told of")
    func noGateway() throws {
        let diagnoses = try TwoClusters().snapshot.diagnoses

        #expect(diagnoses.map(\.object.id.name) == ["west"])
        #expect(diagnoses.first?.message.contains("`west` has no gateway") == true)
    }

    @Test("A port with another number there gets no traffic from here, and that is told")
    func ports() throws {
        let clusters = try TwoClusters(
            local: TwoClusters.service("reviews", address: "10.214.0.7", pod: "10.213.1.5"),
            west: TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5", port: 81)
                + TwoClusters.gateway("west", address: "10.216.2.1")
        )

        let snapshot = clusters.snapshot

        let key = ServiceKey(try self.service("reviews", snapshot))
        #expect(snapshot.endpoints[key]?.map(\.cluster) == [""])
        #expect(snapshot.diagnoses.map(\.message).contains { $0.contains("port `http` at 81, ours at 80") })
    }
}
