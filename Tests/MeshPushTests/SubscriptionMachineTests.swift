import Foundation
import MeshPush
import Testing

@Suite struct SubscriptionMachineTests {
    typealias Request = SubscriptionMachine.Request

    @Test("The first request of a kind is answered, even if there is nothing of it")
    func firstRequest() {
        var machine = SubscriptionMachine(resources: ResourceSet(), version: "1")

        let action = machine.requestReceived(Request(kind: .listener))

        #expect(action.responses.map(\.kind) == [.listener])
        #expect(action.responses.first?.resources.isEmpty == true)
    }

    @Test("A new cluster waits for endpoints also if they have another cluster's name and were sent for that one")
    func sharedEndpoints() {
        func set(_ clusters: [EncodedResource]) -> ResourceSet {
            ResourceSet([.cluster: clusters, .endpoint: [EncodedResource(name: "a", bytes: Data("1".utf8))]])
        }
        let first = EncodedResource(name: "a", bytes: Data("a".utf8))
        let second = EncodedResource(name: "b", bytes: Data("b".utf8), endpointsName: "a")
        var machine = SubscriptionMachine(resources: set([first]), version: "1")
        for request in [Request(kind: .cluster), Request(kind: .endpoint, names: ["a"])] {
            let nonce = machine.requestReceived(request).responses[0].nonce
            _ = machine.requestReceived(Request(kind: request.kind, names: request.names, nonce: nonce))
        }

        let responses = machine.resourcesChanged(set([first, second]), version: "2")

        #expect(responses.map(\.kind) == [.cluster, .endpoint])
        #expect(responses.last?.resources.map(\.name) == ["a"])
    }

    @Test("Secrets are sent by name, after what names them, and again only when they change")
    func secrets() {
        func set(_ key: String) -> ResourceSet {
            ResourceSet([
                .listener: [EncodedResource(name: "l", bytes: Data("1".utf8))],
                .secret: [
                    EncodedResource(name: "kubernetes://a", bytes: Data(key.utf8)),
                    EncodedResource(name: "kubernetes://b", bytes: Data("b".utf8)),
                ],
            ])
        }
        var machine = SubscriptionMachine(resources: set("1"), version: "1")
        _ = machine.requestReceived(Request(kind: .listener))

        let first = machine.requestReceived(Request(kind: .secret, names: ["kubernetes://a", "kubernetes://gone"]))
        #expect(first.responses.map { $0.resources.map(\.name) } == [["kubernetes://a"]])
        let nonce = first.responses[0].nonce
        let answer = Request(kind: .secret, names: ["kubernetes://a", "kubernetes://gone"], nonce: nonce)
        #expect(machine.requestReceived(answer).responses.isEmpty)

        #expect(machine.resourcesChanged(set("1"), version: "2").isEmpty)
        #expect(machine.resourcesChanged(set("2"), version: "3").map(\.kind) == [.secret])
        #expect(ResourceKind.listener < .secret && ResourceKind.cluster < .secret)
    }

    @Test("What is accepted is not sent again")
    func acceptance() {
        var machine = SubscriptionMachine(resources: resources(clusters: ["a": "1"]), version: "1")
        let nonce = machine.requestReceived(Request(kind: .cluster)).responses[0].nonce

        let action = machine.requestReceived(Request(kind: .cluster, nonce: nonce))

        #expect(action.outcome == .accepted(.cluster, version: "1"))
        #expect(action.responses.isEmpty)
        #expect(machine.progress[.cluster]?.state == .synced)
        #expect(machine.resourcesChanged(resources(clusters: ["a": "1"]), version: "2").isEmpty)
    }

    @Test("A refusal is reported with what it names, is not answered, and holds up no other kind")
    func refusal() {
        let both = resources(clusters: ["a": "1"], listeners: ["good": "1", "bad": "1"])
        var machine = SubscriptionMachine(resources: both, version: "1")
        let nonce = machine.requestReceived(Request(kind: .listener)).responses[0].nonce
        _ = machine.requestReceived(Request(kind: .cluster))

        let action = machine.requestReceived(
            Request(kind: .listener, nonce: nonce, refusal: "Error adding/updating listener(s) bad: no filters")
        )

        guard case .refused(let refusal) = action.outcome else {
            Issue.record("not refused: \(action.outcome)")
            return
        }
        #expect(refusal.names == ["bad"])
        #expect(action.responses.isEmpty)
        #expect(machine.progress[.listener]?.state == .stale)
        let repaired = resources(clusters: ["a": "1"], listeners: ["good": "1", "bad": "2"])
        #expect(machine.resourcesChanged(repaired, version: "2").map(\.kind) == [.listener])
    }

    @Test("Changes while a response is unanswered go out as one, after the answer")
    func oneUnanswered() {
        var machine = SubscriptionMachine(resources: resources(clusters: ["a": "1"]), version: "1")
        let nonce = machine.requestReceived(Request(kind: .cluster)).responses[0].nonce

        #expect(machine.resourcesChanged(resources(clusters: ["a": "2"]), version: "2").isEmpty)
        #expect(machine.resourcesChanged(resources(clusters: ["a": "3"]), version: "3").isEmpty)
        let action = machine.requestReceived(Request(kind: .cluster, nonce: nonce))

        #expect(action.responses.map(\.version) == ["3"])
    }

    @Test("An answer to an older response says nothing")
    func staleNonce() {
        var machine = SubscriptionMachine(resources: resources(clusters: ["a": "1"]), version: "1")
        let nonce = machine.requestReceived(Request(kind: .cluster)).responses[0].nonce
        _ = machine.requestReceived(Request(kind: .cluster, nonce: nonce))
        _ = machine.resourcesChanged(resources(clusters: ["a": "2"]), version: "2")

        let action = machine.requestReceived(Request(kind: .cluster, nonce: nonce))

        #expect(action.outcome == .none)
        #expect(machine.progress[.cluster]?.state == .stale)
    }

    @Test("Of named kinds only what was asked for and what changed is sent")
    func namedKinds() {
        var machine = SubscriptionMachine(
            resources: resources(endpoints: ["a": "1", "b": "1", "c": "1"]),
            version: "1"
        )
        let first = machine.requestReceived(Request(kind: .endpoint, names: ["a", "b"])).responses[0]
        #expect(first.resources.map(\.name) == ["a", "b"])

        let more = machine.requestReceived(Request(kind: .endpoint, names: ["a", "b", "c"], nonce: first.nonce))
        #expect(more.responses.map { $0.resources.map(\.name) } == [["c"]])

        _ = machine.requestReceived(Request(kind: .endpoint, names: ["a", "b", "c"], nonce: more.responses[0].nonce))
        let changed = machine.resourcesChanged(resources(endpoints: ["a": "1", "b": "2", "c": "1"]), version: "2")
        #expect(changed.map { $0.resources.map(\.name) } == [["b"]])
    }

    @Test("A change goes out in the order clusters, endpoints, listeners, routes, names")
    func order() {
        var machine = SubscriptionMachine(resources: ResourceSet(), version: "0")
        for kind in ResourceKind.allCases.reversed() {
            let response = machine.requestReceived(Request(kind: kind, names: ["a"])).responses.first
            _ = machine.requestReceived(Request(kind: kind, names: ["a"], nonce: response?.nonce ?? ""))
        }

        let all = ResourceSet(
            Dictionary(uniqueKeysWithValues: ResourceKind.allCases.map { ($0, [resource("a", "1")]) })
        )

        #expect(machine.resourcesChanged(all, version: "1").map(\.kind) == ResourceKind.allCases)
    }

    @Test("Endpoints of a cluster that changed are sent again, since the proxy waits for them")
    func changedCluster() {
        var machine = SubscriptionMachine(
            resources: resources(clusters: ["a": "1"], endpoints: ["a": "1"]),
            version: "1"
        )
        for kind in [ResourceKind.cluster, .endpoint] {
            let nonce = machine.requestReceived(Request(kind: kind, names: ["a"])).responses[0].nonce
            _ = machine.requestReceived(Request(kind: kind, names: ["a"], nonce: nonce))
        }

        let pushed = machine.resourcesChanged(resources(clusters: ["a": "2"], endpoints: ["a": "1"]), version: "2")

        #expect(pushed.map(\.kind) == [.cluster, .endpoint])
    }
}

func resource(_ name: String, _ content: String) -> EncodedResource {
    EncodedResource(name: name, bytes: Data(content.utf8))
}

func resources(
    clusters: [String: String] = [:],
    endpoints: [String: String] = [:],
    listeners: [String: String] = [:],
    names: [String: String] = [:]
) -> ResourceSet {
    ResourceSet([
        .cluster: clusters.map { resource($0.key, $0.value) },
        .endpoint: endpoints.map { resource($0.key, $0.value) },
        .listener: listeners.map { resource($0.key, $0.value) },
        .nameTable: names.map { resource($0.key, $0.value) },
    ])
}
