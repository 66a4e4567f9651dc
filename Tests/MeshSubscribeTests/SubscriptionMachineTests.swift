import MeshSubscribe
import Testing
import XDSAPI

@Suite struct SubscriptionMachineTests {
    /// Feeds a response in.
    private func answer(
        _ machine: inout SubscriptionMachine,
        _ kind: ResourceKind,
        _ version: String,
        _ nonce: String,
        isEmpty: Bool = false,
        has: Bool = false
    ) -> SubscriptionMachine.OnResponse {
        machine.responseReceived(
            typeURL: kind.typeURL,
            version: version,
            nonce: nonce,
            isEmpty: isEmpty,
            hasResources: has
        )
    }

    @Test("A conversation: subscribe, acknowledge, ask for what is referred to, refuse, acknowledge")
    func conversation() {
        var machine = SubscriptionMachine()

        let first = machine.connected()
        #expect(first.map(\.kind) == [.clusters, .listeners, .nameTable])
        #expect(first.map(\.carriesNode) == [true, false, false])
        #expect(first.allSatisfy { $0.version.isEmpty && $0.nonce.isEmpty && $0.error == nil })

        #expect(self.answer(&machine, .clusters, "1", "n1") == .apply(.clusters))
        let acknowledged = machine.responseApplied(.clusters, errors: [])
        #expect(acknowledged.version == "1" && acknowledged.nonce == "n1" && acknowledged.error == nil)
        let endpoints = machine.namesNeeded(["a", "b"], of: .endpoints)
        #expect(endpoints?.names == ["a", "b"] && endpoints?.nonce == "")
        #expect(machine.namesNeeded(["a", "b"], of: .endpoints) == nil)

        #expect(self.answer(&machine, .clusters, "2", "n2") == .apply(.clusters))
        let refused = machine.responseApplied(.clusters, errors: ["x: y", "z: w"])
        #expect(refused.version == "1" && refused.nonce == "n2" && refused.error == "x: y\nz: w")

        #expect(self.answer(&machine, .clusters, "3", "n3") == .apply(.clusters))
        #expect(machine.responseApplied(.clusters, errors: []).version == "3")
    }

    @Test("Names that change carry the last nonce; no names any more is said once")
    func names() {
        var machine = SubscriptionMachine()
        _ = machine.connected()
        #expect(machine.namesNeeded([], of: .routes) == nil)
        _ = machine.namesNeeded(["80"], of: .routes)
        _ = self.answer(&machine, .routes, "1", "r1")
        _ = machine.responseApplied(.routes, errors: [])

        let more = machine.namesNeeded(["80", "81"], of: .routes)
        #expect(more?.version == "1" && more?.nonce == "r1" && more?.names == ["80", "81"])
        #expect(machine.namesNeeded([], of: .routes)?.names == [])
    }

    @Test("After a reconnect versions and names are kept and nonces are not")
    func reconnect() {
        var machine = SubscriptionMachine()
        _ = machine.connected()
        _ = self.answer(&machine, .clusters, "7", "n1")
        _ = machine.responseApplied(.clusters, errors: [])
        _ = machine.namesNeeded(["a"], of: .endpoints)

        machine.disconnected()
        #expect(machine.namesNeeded(["a", "b"], of: .endpoints) == nil)
        let again = machine.connected()

        #expect(again.map(\.kind) == [.clusters, .endpoints, .listeners, .nameTable])
        #expect(again[0].version == "7" && again[0].nonce == "" && again[0].carriesNode)
        #expect(again[1].names == ["a", "b"])
    }

    @Test("A control plane that starts with nothing is doubted, until its emptiness has lasted")
    func doubtsEmptiness() {
        var machine = SubscriptionMachine()
        _ = machine.connected()

        #expect(self.answer(&machine, .listeners, "1", "n", isEmpty: true, has: true) == .keepForNow(.listeners))
        #expect(machine.responseApplied(.listeners, errors: []).nonce == "n")
        #expect(machine.emptinessLasted() == [.listeners])
        #expect(machine.emptinessLasted() == [])
    }

    @Test("What comes after the doubtful answer counts, empty or not", arguments: [true, false])
    func laterAnswer(_ isEmpty: Bool) {
        var machine = SubscriptionMachine()
        _ = machine.connected()
        _ = self.answer(&machine, .clusters, "1", "n1", isEmpty: true, has: true)

        #expect(self.answer(&machine, .clusters, "2", "n2", isEmpty: isEmpty, has: true) == .apply(.clusters))
        #expect(machine.emptinessLasted() == [])
    }

    @Test("An empty first answer is believed by a proxy that holds nothing")
    func emptyAtStart() {
        var machine = SubscriptionMachine()
        _ = machine.connected()

        #expect(self.answer(&machine, .listeners, "1", "n", isEmpty: true) == .apply(.listeners))
    }

    @Test("Types that nobody asked for are ignored")
    func unknownType() {
        var machine = SubscriptionMachine()
        _ = machine.connected()

        #expect(self.answer(&machine, .endpoints, "1", "n") == .ignore)
        let other = machine.responseReceived(
            typeURL: TypeURL.secret,
            version: "1",
            nonce: "n",
            isEmpty: false,
            hasResources: false
        )
        #expect(other == .ignore)
    }
}
