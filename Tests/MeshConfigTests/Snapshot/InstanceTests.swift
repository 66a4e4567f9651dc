import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

/// What the names of headless services lead to.
@Suite struct InstanceTests {
    private func service(_ more: String = "", ports: String = "[{name: mysql, port: 3306}]") -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: db}
        spec: {clusterIP: None, selector: {app: db}, ports: \(ports)\(more)}
        """
    }

    private func slice(
        _ endpoints: String,
        name: String = "db-1",
        ports: String = "[{name: mysql, port: 3306}]"
    ) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(name), labels: {kubernetes.io/service-name: db}}
        addressType: IPv4
        ports: \(ports)
        endpoints: \(endpoints)
        """
    }

    private static let two = """
        [{addresses: [10.213.1.1], hostname: DB-0, conditions: {ready: true}},
         {addresses: [10.213.1.2], hostname: db-1, conditions: {ready: false}}]
        """

    private func instances(_ mesh: Mesh) -> [String]? {
        let snapshot = mesh.snapshot
        return snapshot.services.first.flatMap { snapshot.instances[ServiceKey($0)] }?
            .map { "\($0.address) \($0.hostName ?? "-")" }
    }

    @Test("Instances are the ready endpoints, with the names that their slices give them")
    func ready() throws {
        let mesh = try Mesh([self.service(), self.slice(Self.two)].joined(separator: "\n---\n"))

        #expect(self.instances(mesh) == ["10.213.1.1 db-0"])
    }

    @Test("With publishNotReadyAddresses all of them are")
    func notReady() throws {
        let service = self.service(", publishNotReadyAddresses: true")
        let mesh = try Mesh([service, self.slice(Self.two)].joined(separator: "\n---\n"))

        #expect(self.instances(mesh) == ["10.213.1.1 db-0", "10.213.1.2 db-1"])
    }

    @Test("A name has no ports: those of the service and of its slices do not matter")
    func withoutPorts() throws {
        let mesh = try Mesh(
            [self.service(ports: "[]"), self.slice(Self.two, ports: "[]")].joined(separator: "\n---\n")
        )

        #expect(self.instances(mesh) == ["10.213.1.1 db-0"])
    }

    @Test("A host name of two labels is none")
    func badName() throws {
        let slice = self.slice("[{addresses: [10.213.1.1], hostname: a.b}]")
        let mesh = try Mesh([self.service(), slice].joined(separator: "\n---\n"))

        #expect(self.instances(mesh) == ["10.213.1.1 -"])
    }

    @Test("A change of a slice is one of endpoints, and leads to the same snapshot as building anew")
    func change() throws {
        var mesh = try Mesh([self.service(), self.slice(Self.two)].joined(separator: "\n---\n"))
        let before = mesh.snapshot

        let changes = try mesh.apply(self.slice("[{addresses: [10.213.1.9], hostname: db-9}]"))

        guard case .endpoints? = changes.first else {
            Issue.record("not a change of endpoints")
            return
        }
        let after = SnapshotBuilder.rebuild(before, after: changes[0], of: mesh.objects, revision: 2)
        #expect(after.instances == mesh.snapshot.instances)
        #expect(self.instances(mesh) == ["10.213.1.9 db-9"])
    }

    @Test("A service with an address of its own has no instances")
    func clusterIP() throws {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: db}
            spec: {clusterIP: 10.214.0.9, ports: [{name: mysql, port: 3306}]}
            """
        let mesh = try Mesh([service, self.slice(Self.two)].joined(separator: "\n---\n"))

        #expect(mesh.snapshot.instances.isEmpty)
    }
}
