import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct SessionTests {
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

    private func clusters() throws -> Envoy_Service_Discovery_V3_DiscoveryResponse {
        try self.response(.clusters, "1", [Messages.edsCluster("a")])
    }

    private func listeners() throws -> Envoy_Service_Discovery_V3_DiscoveryResponse {
        try self.response(.listeners, "1", [Messages.listener("http", port: 80, Messages.httpFilter(routes: "80"))])
    }

    /// A session that was given all that it asked for.
    private func complete() throws -> Session {
        var session = Session()
        _ = session.connected()
        _ = session.received(try self.clusters())
        _ = session.received(try self.response(.endpoints, "1", [Messages.endpoints("a", "10.0.0.1")]))
        _ = session.received(try self.listeners())
        _ = session.received(try self.response(.routes, "1", [Messages.routes("80", cluster: "a")]))
        return session
    }

    @Test("The first state waits for everything that it refers to")
    func firstState() throws {
        var session = Session()
        _ = session.connected()

        let clusters = session.received(try self.clusters())
        #expect(clusters.requests.map(\.kind) == [.clusters, .endpoints])
        #expect(clusters.state == nil)
        let listeners = session.received(try self.listeners())
        #expect(listeners.requests.map(\.kind) == [.listeners, .routes])
        #expect(listeners.requests.last?.names == ["80"])
        #expect(listeners.state == nil)
        let routes = session.received(try self.response(.routes, "1", [Messages.routes("80", cluster: "a")]))
        #expect(routes.state == nil)

        let last = session.received(try self.response(.endpoints, "1", [Messages.endpoints("a", "10.0.0.1")]))

        #expect(last.state?.listeners.map(\.name) == ["http"])
        #expect(session.isStarted)
    }

    @Test("A part that never comes does not hold the rest back for ever")
    func incomplete() throws {
        var session = Session()
        _ = session.connected()
        _ = session.received(try self.clusters())
        _ = session.received(
            try self.response(.listeners, "1", [Messages.listener("t", port: 1, Messages.tcpFilter("a"))])
        )

        #expect(session.startAnyway()?.listeners.count == 1)
        #expect(session.startAnyway() == nil)
    }

    @Test("A refused resource is answered with its name and field, and the good ones of its response are used")
    func refusal() throws {
        var session = try self.complete()
        var bad = Messages.edsCluster("bad")
        bad.lbPolicy = .loadBalancingPolicyConfig

        let actions = session.received(
            try self.response(.clusters, "2", [Messages.edsCluster("a"), bad, Messages.edsCluster("b")])
        )

        let answer = try #require(actions.requests.first)
        #expect(answer.version == "1" && answer.nonce == "cds-2")
        #expect(answer.error?.hasPrefix("bad: lb_policy:") == true)
        #expect(actions.requests.last?.names == ["a", "b"])
        #expect(actions.state?.clusters.compactMap { $0?.name }.sorted() == ["a", "b"])
        #expect(session.counts[.clusters]?.rejections == 1)
    }

    @Test("A control plane that comes back with nothing takes nothing away, unless it keeps to it")
    func restart() throws {
        var session = try self.complete()
        session.disconnected()
        _ = session.connected()

        let empty = session.received(try self.response(.listeners, "9", []))
        #expect(empty.state == nil)
        #expect(empty.requests.map(\.version) == ["9"])

        let lasted = session.emptinessLasted()
        #expect(lasted.state?.listeners.isEmpty == true)
        #expect(lasted.requests.map(\.kind) == [.routes])
    }

    @Test("The name table is passed on when it changes")
    func nameTable() throws {
        var session = Session()
        _ = session.connected()
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["reviews.default.svc.cluster.local"] = .with {
                $0.ips = ["10.214.0.7"]
                $0.registry = "Kubernetes"
                $0.shortname = "reviews"
                $0.namespace = "default"
            }
        }

        let first = session.received(try self.response(.nameTable, "1", [table]))
        let second = session.received(try self.response(.nameTable, "2", [table]))

        #expect(first.names?.changed.keys.sorted() == ["reviews.default.svc.cluster.local"])
        #expect(first.names?.changed.values.first?.addresses.map(\.description) == ["10.214.0.7"])
        #expect(second.names == nil)
        #expect(second.requests.map(\.version) == ["2"])
    }
}
