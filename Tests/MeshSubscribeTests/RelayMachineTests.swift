import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct RelayMachineTests {
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

    private func connected() -> RelayMachine {
        var machine = RelayMachine(node: self.node)
        _ = machine.controlPlaneConnected()
        _ = machine.envoyConnected()
        return machine
    }

    private func request(_ type: String, _ names: [String] = [], version: String = "", nonce: String = "") -> Request {
        .with {
            $0.typeURL = type
            $0.resourceNames = names
            $0.versionInfo = version
            $0.responseNonce = nonce
        }
    }

    private func response(_ type: String, version: String, nonce: String) -> Response {
        .with {
            $0.typeURL = type
            $0.versionInfo = version
            $0.nonce = nonce
        }
    }

    private func secrets(_ content: String) -> [String: Google_Protobuf_Any] {
        ["default", "ROOTCA"].reduce(into: [:]) { result, name in
            result[name] = .with {
                $0.typeURL = TypeURL.secret
                $0.value.append(contentsOf: "\(name) \(content)".utf8)
            }
        }
    }

    @Test("The first request on a stream says who the proxy is and asks for names")
    func first() {
        var machine = RelayMachine(node: self.node)

        let actions = machine.controlPlaneConnected()

        #expect(actions.toControlPlane.map(\.typeURL) == [TypeURL.nameTable])
        #expect(actions.toControlPlane.first?.node.id == self.node.id)
    }

    @Test("What Envoy asks and what it is answered passes unchanged")
    func passes() {
        var machine = self.connected()

        let asked = machine.requested(self.request(TypeURL.cluster))
        let answered = machine.responded(self.response(TypeURL.cluster, version: "1", nonce: "n1"))
        let accepted = machine.requested(self.request(TypeURL.cluster, version: "1", nonce: "n1"))

        #expect(asked.toControlPlane == [self.request(TypeURL.cluster)])
        #expect(answered.toEnvoy == [self.response(TypeURL.cluster, version: "1", nonce: "n1")])
        #expect(accepted.toControlPlane == [self.request(TypeURL.cluster, version: "1", nonce: "n1")])
        #expect(accepted.refusals.isEmpty)
    }

    @Test("A refusal is passed on with its reason and the version that is in force, and is said")
    func refusal() {
        var machine = self.connected()
        _ = machine.requested(self.request(TypeURL.listener))
        _ = machine.responded(self.response(TypeURL.listener, version: "1", nonce: "n1"))
        _ = machine.requested(self.request(TypeURL.listener, version: "1", nonce: "n1"))
        _ = machine.responded(self.response(TypeURL.listener, version: "2", nonce: "n2"))

        var refusal = self.request(TypeURL.listener, version: "1", nonce: "n2")
        refusal.errorDetail.message = "no such filter"
        let actions = machine.requested(refusal)

        #expect(actions.toControlPlane == [refusal])
        #expect(actions.refusals == ["Listener: no such filter"])
    }

    @Test("After the control plane comes back it is asked for all, with what Envoy has accepted")
    func reconnect() {
        var machine = self.connected()
        _ = machine.requested(self.request(TypeURL.cluster))
        _ = machine.responded(self.response(TypeURL.cluster, version: "1", nonce: "n1"))
        _ = machine.requested(self.request(TypeURL.cluster, version: "1", nonce: "n1"))
        _ = machine.requested(self.request(TypeURL.clusterLoadAssignment, ["a", "b"]))
        machine.controlPlaneLost()

        let late = machine.requested(self.request(TypeURL.cluster, version: "1", nonce: "n1"))
        let actions = machine.controlPlaneConnected()

        #expect(late.toControlPlane.isEmpty)
        #expect(
            actions.toControlPlane.map(\.typeURL) == [
                TypeURL.cluster, TypeURL.clusterLoadAssignment, TypeURL.nameTable,
            ]
        )
        #expect(actions.toControlPlane[0].versionInfo == "1")
        #expect(actions.toControlPlane[0].hasNode)
        #expect(actions.toControlPlane[1].resourceNames == ["a", "b"])
        #expect(actions.toControlPlane.allSatisfy { $0.responseNonce.isEmpty })
    }

    @Test("An answer to what an earlier stream sent is not passed to a new one")
    func staleAnswer() {
        var machine = self.connected()
        _ = machine.requested(self.request(TypeURL.cluster))
        _ = machine.responded(self.response(TypeURL.cluster, version: "1", nonce: "n1"))
        machine.controlPlaneLost()
        _ = machine.controlPlaneConnected()

        let actions = machine.requested(self.request(TypeURL.cluster, version: "1", nonce: "n1"))

        #expect(actions.toControlPlane.isEmpty)
    }

    @Test("A type of which Envoy needs nothing any more is not asked for on a new stream, which would mean all of it")
    func nothingNamed() {
        var machine = self.connected()
        _ = machine.requested(self.request(TypeURL.clusterLoadAssignment, ["a"]))
        _ = machine.requested(self.request(TypeURL.clusterLoadAssignment, []))
        machine.controlPlaneLost()

        let actions = machine.controlPlaneConnected()

        #expect(actions.toControlPlane.map(\.typeURL) == [TypeURL.nameTable])
    }

    @Test("The workload's own secrets are answered here, once they are there, and asked of nobody")
    func ownSecrets() {
        var machine = self.connected()

        let early = machine.requested(self.request(TypeURL.secret, ["ROOTCA", "default"]))
        let issued = machine.ownSecretsChanged(self.secrets("one"))
        let acknowledged = machine.requested(
            self.request(TypeURL.secret, ["ROOTCA", "default"], version: "own-1", nonce: "own-1")
        )

        #expect(early.toControlPlane.isEmpty && early.toEnvoy.isEmpty)
        #expect(issued.toEnvoy.first?.resources.count == 2)
        #expect(issued.toControlPlane.isEmpty)
        #expect(acknowledged.toControlPlane.isEmpty && acknowledged.toEnvoy.isEmpty)
    }

    @Test("A renewal is pushed to Envoy without anybody asking; what did not change is not")
    func renewal() {
        var machine = self.connected()
        _ = machine.ownSecretsChanged(self.secrets("one"))
        let first = machine.requested(self.request(TypeURL.secret, ["default", "ROOTCA"]))
        var renewed = self.secrets("one")
        renewed["default"] = self.secrets("two")["default"]

        let actions = machine.ownSecretsChanged(renewed)
        let same = machine.ownSecretsChanged(renewed)

        #expect(first.toEnvoy.first?.resources.count == 2)
        #expect(actions.toEnvoy.first?.resources == [renewed["default"]].compactMap { $0 })
        #expect(actions.toEnvoy.first?.nonce != first.toEnvoy.first?.nonce)
        #expect(same.toEnvoy.isEmpty)
    }

    @Test("Other secrets are asked of the control plane, without the workload's own")
    func otherSecrets() {
        var machine = self.connected()
        _ = machine.ownSecretsChanged(self.secrets("one"))

        let asked = machine.requested(self.request(TypeURL.secret, ["default", "shop"]))
        let answered = machine.responded(self.response(TypeURL.secret, version: "1", nonce: "n1"))
        let accepted = machine.requested(self.request(TypeURL.secret, ["default", "shop"], version: "1", nonce: "n1"))
        let ownAccepted = machine.requested(
            self.request(TypeURL.secret, ["default", "shop"], version: "own-1", nonce: "own-1")
        )
        let more = machine.requested(
            self.request(TypeURL.secret, ["default", "shop", "bank"], version: "own-1", nonce: "own-1")
        )

        #expect(asked.toControlPlane.map(\.resourceNames) == [["shop"]])
        #expect(asked.toEnvoy.first?.resources.count == 1)
        #expect(answered.toEnvoy.count == 1)
        #expect(accepted.toControlPlane.map(\.responseNonce) == ["n1"])
        #expect(accepted.toControlPlane.map(\.resourceNames) == [["shop"]])
        #expect(ownAccepted.toControlPlane.isEmpty)
        #expect(more.toControlPlane.map(\.resourceNames) == [["shop", "bank"]])
        #expect(more.toControlPlane.map(\.versionInfo) == ["1"])
    }

    @Test("A new stream of Envoy gets the secrets anew, and the control plane's stream is begun anew")
    func envoyReconnects() {
        var machine = self.connected()
        _ = machine.ownSecretsChanged(self.secrets("one"))
        _ = machine.requested(self.request(TypeURL.secret, ["default"]))
        _ = machine.requested(self.request(TypeURL.cluster))

        let needsNewStream = machine.envoyConnected()
        let asked = machine.requested(self.request(TypeURL.secret, ["default"]))

        #expect(needsNewStream)
        #expect(asked.toEnvoy.first?.resources.count == 1)
        var untouched = RelayMachine(node: self.node)
        let untouchedNeedsNewStream = untouched.envoyConnected()
        #expect(!untouchedNeedsNewStream)
    }

    @Test("The name table goes to DNS, never to Envoy, and Envoy cannot ask for it")
    func nameTable() throws {
        var machine = self.connected()
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["a.default.svc.cluster.local"] = .with { $0.ips = ["10.214.0.7"] }
        }
        var response = self.response(TypeURL.nameTable, version: "1", nonce: "n1")
        response.resources = [try Google_Protobuf_Any(message: table)]

        let actions = machine.responded(response)
        let asked = machine.requested(self.request(TypeURL.nameTable))

        #expect(actions.names?.changed.keys.sorted() == ["a.default.svc.cluster.local"])
        #expect(actions.toEnvoy.isEmpty)
        #expect(actions.toControlPlane.map(\.responseNonce) == ["n1"])
        #expect(asked.toControlPlane.isEmpty && asked.toEnvoy.isEmpty)
    }

    @Test("The bootstrap is one that names the node, the socket and the ports")
    func bootstrap() throws {
        let text = try EnvoyBootstrap(
            node: self.node,
            socket: "/var/run/lateen/xds",
            statusAddress: try #require(IPAddress("0.0.0.0"))
        ).json()

        let message = try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: text)
        #expect(message.node.id == self.node.id)
        #expect(message.admin.address.socketAddress.portValue == 15000)
        #expect(message.staticResources.clusters.map(\.name) == ["prometheus_stats", "xds-grpc"])
        #expect(text.contains("\"path\" : \"/var/run/lateen/xds\""))
    }
}
