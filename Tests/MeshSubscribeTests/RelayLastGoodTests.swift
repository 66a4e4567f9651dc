import MeshModel
import MeshSubscribe
import MeshTestSupport
import SwiftProtobuf
import Testing
import XDSAPI

/// What an Envoy begins with when its control plane is away.
@Suite struct RelayLastGoodTests {
    private typealias Request = RelayMachine.Request
    private typealias Response = RelayMachine.Response

    private let node = NodeIdentity(
        id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local",
        cluster: "a.default",
        namespace: "default",
        labels: [:],
        addresses: ["10.0.0.1"],
        version: "1"
    )

    private func request(_ type: String, _ names: [String] = [], version: String = "", nonce: String = "") -> Request {
        .with {
            $0.typeURL = type
            $0.resourceNames = names
            $0.versionInfo = version
            $0.responseNonce = nonce
        }
    }

    private func response(_ type: String, _ nonce: String, _ resources: [any SwiftProtobuf.Message]) throws -> Response
    {
        try .with {
            $0.typeURL = type
            $0.versionInfo = nonce
            $0.nonce = nonce
            $0.resources = try resources.map { try Google_Protobuf_Any(message: $0) }
        }
    }

    /// Has Envoy ask for a type, be answered, and accept the answer.
    private func settle(
        _ machine: inout RelayMachine,
        _ type: String,
        _ names: [String],
        _ nonce: String,
        _ resources: [any SwiftProtobuf.Message]
    ) throws -> RelayMachine.Actions {
        _ = machine.requested(self.request(type, names))
        _ = machine.responded(try self.response(type, nonce, resources))
        return machine.requested(self.request(type, names, version: nonce, nonce: nonce))
    }

    /// A machine whose Envoy has accepted a cluster with endpoints, a listener and its routes.
    private func complete() throws -> RelayMachine {
        var machine = RelayMachine(node: self.node)
        _ = machine.envoyConnected()
        _ = machine.controlPlaneConnected()
        _ = try self.settle(&machine, TypeURL.cluster, [], "c1", [Messages.edsCluster("a")])
        _ = try self.settle(&machine, TypeURL.clusterLoadAssignment, ["a"], "e1", [Messages.endpoints("a", "10.0.0.1")])
        let listener = Messages.listener("http", port: 80, try Messages.httpFilter(routes: "80"))
        _ = try self.settle(&machine, TypeURL.listener, [], "l1", [listener])
        _ = try self.settle(&machine, TypeURL.routeConfiguration, ["80"], "r1", [Messages.routes("80", cluster: "a")])
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["a.default.svc.cluster.local"] = .with { $0.ips = ["10.214.0.7"] }
        }
        _ = machine.responded(try self.response(TypeURL.nameTable, "n1", [table]))
        return machine
    }

    private func names(_ response: Response?) -> [String] {
        (response?.resources ?? []).map { resource in
            switch resource.typeURL {
            case TypeURL.cluster: (try? ClusterMessage(unpackingAny: resource).name) ?? "?"
            case TypeURL.clusterLoadAssignment: (try? EndpointsMessage(unpackingAny: resource).clusterName) ?? "?"
            case TypeURL.listener: (try? ListenerMessage(unpackingAny: resource).name) ?? "?"
            case TypeURL.routeConfiguration: (try? RouteMessage(unpackingAny: resource).name) ?? "?"
            default: resource.typeURL
            }
        }
    }

    @Test("What Envoy has accepted is stored, and read again by a later run")
    func restart() async throws {
        let stored = try #require(try self.complete().lastGood)
        try await withTemporaryDirectory { path in
            let store = LastGoodStore(directory: path, node: self.node.id)
            try store.write(LastGoodStore.Content(responses: stored, stored: 1))
            let content = try #require(try store.read())
            var machine = RelayMachine(node: self.node)
            _ = machine.envoyConnected()
            // Envoy has asked for clusters before it was clear that nobody answers.
            let early = machine.requested(self.request(TypeURL.cluster))

            let restored = machine.restore(content.responses)
            let clusters = try #require(restored.toEnvoy.first)
            let endpoints = machine.requested(self.request(TypeURL.clusterLoadAssignment, ["a"]))
            let listeners = machine.requested(self.request(TypeURL.listener))
            let routes = machine.requested(self.request(TypeURL.routeConfiguration, ["80", "81"]))
            let accepted = machine.requested(
                self.request(TypeURL.cluster, version: clusters.versionInfo, nonce: clusters.nonce)
            )

            #expect(early.toEnvoy.isEmpty)
            #expect(self.names(clusters) == ["a"])
            #expect(restored.names?.changed.keys.sorted() == ["a.default.svc.cluster.local"])
            #expect(self.names(endpoints.toEnvoy.first) == ["a"])
            #expect(self.names(listeners.toEnvoy.first) == ["http"])
            #expect(self.names(routes.toEnvoy.first) == ["80"])
            #expect(accepted.toEnvoy.isEmpty && accepted.toControlPlane.isEmpty && !accepted.hasNews)
        }
    }

    @Test("A control plane that comes back is asked for everything, and its answers count from then on")
    func comesBack() throws {
        let stored = try #require(try self.complete().lastGood)
        var machine = RelayMachine(node: self.node)
        _ = machine.envoyConnected()
        _ = machine.restore(stored)
        let clusters = try #require(machine.requested(self.request(TypeURL.cluster)).toEnvoy.first)
        _ = machine.requested(self.request(TypeURL.clusterLoadAssignment, ["a"]))

        let asked = machine.controlPlaneConnected()
        let late = machine.requested(
            self.request(TypeURL.cluster, version: clusters.versionInfo, nonce: clusters.nonce)
        )
        let more = machine.requested(
            self.request(TypeURL.clusterLoadAssignment, ["a", "b"], version: "stored-2", nonce: "stored-2")
        )
        let answered = machine.responded(try self.response(TypeURL.cluster, "c2", [Messages.edsCluster("b")]))

        #expect(asked.toControlPlane.prefix(2).map(\.typeURL) == [TypeURL.cluster, TypeURL.clusterLoadAssignment])
        #expect(asked.toControlPlane.allSatisfy { $0.versionInfo.isEmpty && $0.responseNonce.isEmpty })
        // It knows nothing of what was stored; but of a new name it must hear.
        #expect(late.toControlPlane.isEmpty)
        #expect(more.toControlPlane.map(\.resourceNames) == [["a", "b"]])
        #expect(more.toControlPlane.map(\.versionInfo) == [""])
        #expect(self.names(answered.toEnvoy.first) == ["b"])
    }

    @Test("What Envoy refused, or does not want any more, is not stored")
    func keepsWhatIsGood() throws {
        var machine = try self.complete()
        _ = machine.responded(try self.response(TypeURL.cluster, "c2", [Messages.edsCluster("bad")]))
        var refusal = self.request(TypeURL.cluster, version: "c1", nonce: "c2")
        refusal.errorDetail.message = "no"
        let refused = machine.requested(refusal)
        _ = machine.requested(self.request(TypeURL.clusterLoadAssignment, [], version: "e1", nonce: "e1"))
        let stored = try #require(machine.lastGood)

        #expect(!refused.hasNews)
        #expect(self.names(stored.first { $0.typeURL == TypeURL.cluster }) == ["a"])
        #expect(self.names(stored.first { $0.typeURL == TypeURL.clusterLoadAssignment }) == [])
    }

    @Test("Keys are never stored, and neither are secrets")
    func storesNoKeys() throws {
        var machine = try self.complete()
        var secret = Messages.edsCluster("with-key")
        secret.altStatName = "-----BEGIN PRIVATE KEY-----"
        _ = machine.responded(try self.response(TypeURL.cluster, "c2", [Messages.edsCluster("a"), secret]))
        let accepted = machine.requested(self.request(TypeURL.cluster, version: "c2", nonce: "c2"))
        let other = Envoy_Extensions_TransportSockets_Tls_V3_Secret.with { $0.name = "shop" }
        _ = try self.settle(&machine, TypeURL.secret, ["shop"], "s1", [other])
        let stored = try #require(machine.lastGood)

        #expect(accepted.hasNews)
        #expect(self.names(stored.first { $0.typeURL == TypeURL.cluster }) == ["a"])
        #expect(!stored.contains { $0.typeURL == TypeURL.secret })
    }

    @Test("Nothing is stored before it is enough to begin with")
    func storesWholes() throws {
        var machine = RelayMachine(node: self.node)
        _ = machine.envoyConnected()
        _ = machine.controlPlaneConnected()
        _ = try self.settle(&machine, TypeURL.cluster, [], "c1", [Messages.edsCluster("a")])
        let listener = Messages.listener("http", port: 80, try Messages.httpFilter(routes: "80"))
        let early = machine.lastGood == nil
        _ = try self.settle(&machine, TypeURL.listener, [], "l1", [listener])
        _ = machine.requested(self.request(TypeURL.routeConfiguration, ["80"]))
        let withoutRoutes = machine.lastGood == nil
        _ = machine.responded(
            try self.response(TypeURL.routeConfiguration, "r1", [Messages.routes("80", cluster: "a")])
        )
        _ = machine.requested(self.request(TypeURL.routeConfiguration, ["80"], version: "r1", nonce: "r1"))

        #expect(early && withoutRoutes && machine.lastGood != nil)
    }

    @Test("A control plane that has spoken is not overruled by what is stored")
    func restoresOnlyAtTheStart() throws {
        let stored = try #require(try self.complete().lastGood)
        var machine = try self.complete()
        machine.controlPlaneLost()

        let actions = machine.restore(stored)

        #expect(actions.toEnvoy.isEmpty && actions.names == nil)
    }
}
