import MeshModel
import Testing

@Suite struct PeerModesTests {
    private static let root = "istio-system"

    @Test("Without a policy everything is permissive")
    func nothing() throws {
        #expect(self.modes([]) == self.modes([]))
        #expect(self.modes([]).workload == .permissive)
        #expect(self.modes([]).mode(of: try port(80)) == .permissive)
    }

    @Test("The narrowest policy decides: port, workload, namespace, mesh")
    func narrowest() throws {
        let mesh = self.policy(1, Self.root, .strict)
        let namespace = self.policy(2, "default", .disable)
        let workload = self.policy(3, "default", .permissive, selector: ["app": "web"], ports: [try port(80): .strict])

        #expect(self.modes([mesh]).workload == .strict)
        #expect(self.modes([mesh, namespace]).workload == .disable)
        let all = self.modes([mesh, namespace, workload])
        #expect(all.workload == .permissive)
        #expect(all.mode(of: try port(80)) == .strict)
        #expect(all.mode(of: try port(81)) == .permissive)
        #expect(self.modes([mesh, namespace, workload], namespace: "other").workload == .strict)
        #expect(self.modes([mesh, namespace, workload], labels: ["app": "db"]).workload == .disable)
    }

    @Test("What a policy leaves open comes from the next wider one")
    func inherits() throws {
        let mesh = self.policy(1, Self.root, .strict)
        let namespace = self.policy(2, "default", nil)
        let workload = self.policy(3, "default", nil, selector: ["app": "web"], ports: [try port(80): .disable])

        let modes = self.modes([mesh, namespace, workload])

        #expect(modes.workload == .strict)
        #expect(modes.mode(of: try port(80)) == .disable)
        #expect(self.modes([namespace, workload]).workload == .permissive)
    }

    @Test("Of equally wide policies the oldest is in force, even if it leaves its mode open")
    func oldest() {
        let old = self.policy(1, "default", .strict)
        let young = self.policy(2, "default", .disable)
        let open = self.policy(0, "default", nil)

        #expect(self.modes([old, young]).workload == .strict)
        #expect(self.modes([young, old]).workload == .strict)
        #expect(self.modes([young, open, old]).workload == .permissive)
        let workloads = [
            self.policy(5, "default", .disable, selector: ["app": "web"]),
            self.policy(4, "default", .strict, selector: ["tier": "front"]),
        ]
        #expect(self.modes(workloads, labels: ["app": "web", "tier": "front"]).workload == .strict)
    }

    @Test("Of policies of one age the first by name is in force, whatever order they come in")
    func age() {
        let first = self.policy(1, "default", .strict, name: "a")
        let second = self.policy(1, "default", .disable, name: "b")

        #expect(self.modes([first, second]).workload == .strict)
        #expect(self.modes([second, first]).workload == .strict)
    }

    @Test("In the root namespace a policy without a selector is the mesh's; one with a selector stays there")
    func root() {
        let mesh = self.policy(1, Self.root, .strict)
        let gateway = self.policy(2, Self.root, .disable, selector: ["app": "web"])

        #expect(self.modes([mesh, gateway], namespace: Self.root).workload == .disable)
        #expect(self.modes([mesh, gateway], namespace: "default").workload == .strict)
    }

    @Test("Old policies for several services of one workload hold side by side; of one port the oldest says")
    func legacy() throws {
        let (a, b) = (try port(80), try port(90))
        var old = [
            self.policy(2, "default", nil, selector: ["app": "web"], ports: [b: .strict, a: .disable]),
            self.policy(1, "default", nil, selector: ["version": "v1"], ports: [a: .strict]),
            self.policy(3, "default", .strict, selector: ["app": "web"]),
        ]
        for index in old.indices { old[index].isLegacy = true }

        let modes = self.modes(old)

        #expect(modes.ports == [a: .strict, b: .strict] && modes.workload == .strict)
        let today = self.policy(0, "default", nil, selector: ["app": "web"])
        #expect(self.modes(old + [today]).ports == [:])
        let later = self.policy(4, "default", nil, selector: ["app": "web"], ports: [try port(91): .disable])
        #expect(self.modes(old + [later]).ports == modes.ports)
    }

    private func policy(
        _ time: Int64,
        _ namespace: String,
        _ mode: MutualTLSMode?,
        selector: [String: String] = [:],
        ports: [Port: MutualTLSMode] = [:],
        name: String? = nil
    ) -> PeerPolicy {
        let id = ObjectID(namespace: namespace, name: name ?? "policy-\(time)")
        return PeerPolicy(
            source: ObjectReference(kind: "PeerAuthentication", id: id),
            createdAt: time,
            selector: selector,
            mode: mode,
            ports: ports
        )
    }

    private func modes(
        _ policies: [PeerPolicy],
        namespace: String = "default",
        labels: [String: String] = ["app": "web", "version": "v1"]
    ) -> PeerModes {
        PeerModes(policies, namespace: namespace, labels: labels, root: Self.root)
    }
}

private func port(_ number: Int) throws -> Port { try #require(Port(number)) }
