import Foundation
import MeshSubscribe
import MeshTestSupport
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct LastGoodTests {
    private let node = "sidecar~10.0.0.1~a.default~default.svc.cluster.local"

    private func response(
        _ kind: ResourceKind,
        _ version: String,
        _ resources: [any SwiftProtobuf.Message]
    ) throws -> Envoy_Service_Discovery_V3_DiscoveryResponse {
        try .with {
            $0.typeURL = kind.typeURL
            $0.versionInfo = version
            $0.nonce = "\(kind.rawValue)-\(version)"
            $0.resources = try resources.map { try Google_Protobuf_Any(message: $0) }
        }
    }

    private func complete() throws -> Session {
        var session = Session()
        _ = session.connected()
        _ = session.received(try self.response(.clusters, "1", [Messages.edsCluster("a")]))
        _ = session.received(try self.response(.endpoints, "1", [Messages.endpoints("a", "10.0.0.1")]))
        _ = session.received(
            try self.response(.listeners, "1", [Messages.listener("http", port: 80, Messages.httpFilter(routes: "80"))])
        )
        _ = session.received(try self.response(.routes, "1", [Messages.routes("80", cluster: "a")]))
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["a.default.svc.cluster.local"] = .with { $0.ips = ["10.214.0.7"] }
        }
        _ = session.received(try self.response(.nameTable, "1", [table]))
        return session
    }

    @Test("A proxy that starts without its control plane does what it did before")
    func restart() async throws {
        try await withTemporaryDirectory { path in
            let store = LastGoodStore(directory: path, node: self.node)
            try store.write(LastGoodStore.Content(responses: try self.complete().lastGood, stored: 1_700_000_000))

            let content = try #require(try store.read())
            var session = Session()
            let actions = session.restore(content.responses)

            #expect(content.stored == 1_700_000_000)
            let state = try #require(actions.state)
            #expect(state.listeners.map(\.name) == ["http"])
            #expect(state.routeTables.keys.sorted() == ["80"])
            #expect(state.clusters.compactMap { $0?.name } == ["a"])
            #expect(actions.names?.changed.keys.sorted() == ["a.default.svc.cluster.local"])
            #expect(actions.errors.isEmpty)
            #expect(session.isStarted)
        }
    }

    @Test("After a stored configuration the control plane is asked for everything, by no version")
    func asksAnew() throws {
        var session = Session()
        _ = session.restore(try self.complete().lastGood)

        let requests = session.connected().requests

        #expect(Set(requests.map(\.kind)) == [.clusters, .endpoints, .listeners, .routes, .nameTable])
        #expect(requests.allSatisfy { $0.version.isEmpty && $0.nonce.isEmpty })
    }

    @Test("The first real push replaces what was stored")
    func replaced() throws {
        var session = Session()
        _ = session.restore(try self.complete().lastGood)
        _ = session.connected()

        let actions = session.received(
            try self.response(.listeners, "7", [Messages.listener("new", port: 81, Messages.tcpFilter("a"))])
        )

        #expect(actions.state?.listeners.map(\.name) == ["new"])
    }

    @Test("What came from the control plane is never replaced by what was stored")
    func late() throws {
        var session = try self.complete()

        #expect(session.restore(try self.complete().lastGood).state == nil)
    }

    @Test("Keys are not stored")
    func keys() async throws {
        var session = try self.complete()
        var inline = Messages.listener("tls", port: 443, try Messages.tcpFilter("a"))
        let tls = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.with {
            $0.commonTlsContext.tlsCertificates = [
                .with {
                    $0.certificateChain.inlineString = "chain"
                    $0.privateKey.inlineString = "-----BEGIN PRIVATE KEY-----\n"
                }
            ]
        }
        inline.filterChains[0].transportSocket.typedConfig = try Messages.any(tls)
        let plain = Messages.listener("plain", port: 80, try Messages.tcpFilter("a"))
        _ = session.received(try self.response(.listeners, "2", [inline, plain]))
        let secret = Envoy_Extensions_TransportSockets_Tls_V3_Secret.with {
            $0.name = "s"
            $0.tlsCertificate.privateKey.inlineString = "-----BEGIN PRIVATE KEY-----\n"
        }
        _ = session.received(try self.response(.secrets, "2", [secret]))

        try await withTemporaryDirectory { path in
            let store = LastGoodStore(directory: path, node: self.node)
            try store.write(LastGoodStore.Content(responses: session.lastGood, stored: 0))
            let bytes = try Data(contentsOf: URL(fileURLWithPath: store.path))

            #expect(bytes.range(of: Data("PRIVATE KEY".utf8)) == nil)
            #expect(bytes.range(of: Data("plain".utf8)) != nil)
        }
    }

    @Test("A damaged file is told from a good one", arguments: [0, 30, -1, -20])
    func damaged(_ place: Int) async throws {
        try await withTemporaryDirectory { path in
            let store = LastGoodStore(directory: path, node: self.node)
            try store.write(LastGoodStore.Content(responses: try self.complete().lastGood, stored: 0))
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: store.path)))
            bytes[place < 0 ? bytes.count + place : place] ^= 0x20
            try Data(bytes).write(to: URL(fileURLWithPath: store.path))

            #expect(throws: LastGoodStore.Fault.self) { try store.read() }
        }
    }

    @Test("A file that ends early is told from a good one", arguments: [0, 10, 200])
    func short(_ count: Int) async throws {
        try await withTemporaryDirectory { path in
            let store = LastGoodStore(directory: path, node: self.node)
            try store.write(LastGoodStore.Content(responses: try self.complete().lastGood, stored: 0))
            let bytes = try Data(contentsOf: URL(fileURLWithPath: store.path))
            try bytes.prefix(count).write(to: URL(fileURLWithPath: store.path))

            #expect(throws: LastGoodStore.Fault.self) { try store.read() }
        }
    }

    @Test("The configuration of another pod is not used, and where there is none there is nothing")
    func others() async throws {
        try await withTemporaryDirectory { path in
            let other = LastGoodStore(directory: path, node: "sidecar~10.0.0.2~b.default~x")
            let missing = try other.read()
            #expect(missing == nil)
            try LastGoodStore(directory: path, node: self.node).write(
                LastGoodStore.Content(responses: [], stored: 0)
            )

            #expect(throws: LastGoodStore.Fault.self) { try other.read() }
        }
    }
}
