import IdentityServer
import Testing

@Suite struct RootDistributionTests {
    @Test("Namespaces without the roots get them, those with others are repaired")
    func steps() {
        var state = Self.state()
        state.configMapSeen(in: "b", bundle: "old")
        state.configMapSeen(in: "c", bundle: "new")

        #expect(state.steps == [.create(namespace: "a"), .repair(namespace: "b")])
        #expect(!state.isDistributed("new"))
    }

    @Test("Nothing is written before there are roots")
    func waits() {
        var state = Self.state()
        state.bundle = nil

        #expect(state.steps.isEmpty)
    }

    @Test("Roots are distributed when the last namespace has them")
    func distributed() {
        var state = Self.state()
        for name in ["a", "b", "c"] { state.configMapSeen(in: name, bundle: "new") }

        #expect(state.isDistributed("new"))
        #expect(!state.isDistributed("newer"))
        state.namespaceSeen("d", isEnding: false)
        #expect(!state.isDistributed("new"))
    }

    @Test("A deleted or emptied ConfigMap is written again")
    func deleted() {
        var state = Self.state()
        for name in ["a", "b", "c"] { state.configMapSeen(in: name, bundle: "new") }
        state.configMapGone(in: "a")
        state.configMapSeen(in: "b", bundle: nil)

        #expect(state.steps == [.create(namespace: "a"), .repair(namespace: "b")])
    }

    @Test("Namespaces that end, and those of Kubernetes, are left alone")
    func left() {
        var state = Self.state()
        state.namespaceSeen("a", isEnding: true)
        state.namespaceGone("b")
        state.namespaceSeen("kube-system", isEnding: false)

        #expect(state.steps == [.create(namespace: "c")])
    }

    @Test("A new list replaces what was known")
    func listed() {
        var state = Self.state()
        state.configMapSeen(in: "a", bundle: "new")
        state.namespacesListed([("a", false), ("x", false), ("y", true)])
        state.configMapsListed([("x", "new")])

        #expect(state.steps == [.create(namespace: "a")])
    }

    private static func state() -> RootDistribution {
        var state = RootDistribution()
        state.bundle = "new"
        for name in ["a", "b", "c"] { state.namespaceSeen(name, isEnding: false) }
        return state
    }
}
