import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// What a Sidecar leaves of the mesh for a proxy.
@Suite struct SidecarScopeTests {
    private func mesh(
        _ imports: [(SidecarRules.Import.Namespace, String)]?,
        policy: MeshSettings.OutboundPolicy? = nil
    ) throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.214.0.1", ports: ["http": 80], endpoints: ["10.213.1.1": [:]])
        try mesh.service("api", namespace: "bank", ip: "10.214.0.2", ports: ["http": 80, "tcp-admin": 9000])
        try mesh.service("db", namespace: "bank", ip: "10.214.0.3", ports: ["mysql": 3306])
        try mesh.entry("www.outside.test", namespace: "egress", addresses: ["240.240.0.1"], port: 443, .tls)
        try mesh.edit { snapshot in
            snapshot.sidecars = [
                SidecarRules(
                    source: ObjectReference(kind: "Sidecar", id: ObjectID(namespace: "default", name: "default")),
                    imports: try imports?.map { SidecarRules.Import(namespace: $0, host: try host($1)) },
                    outboundPolicy: policy
                )
            ]
        }
        return mesh
    }

    private func names(_ resources: ProxyResources) -> [String] { resources.nameTable.table.keys.sorted() }

    @Test("Names, clusters, listeners and routes are those of the imported hosts alone")
    func scope() throws {
        let resources = try self.mesh([(.own, "*"), (.named("bank"), "db.bank.svc.cluster.local")]).resources()

        #expect(self.names(resources) == ["db.bank.svc.cluster.local", "web.default.svc.cluster.local"])
        let clusters = resources.clusters.map(\.name).filter { $0.hasPrefix("outbound") }
        #expect(clusters == ["outbound|3306||db.bank.svc.cluster.local", "outbound|80||web.default.svc.cluster.local"])
        #expect(!resources.listeners.contains { $0.name.contains("9000") || $0.name.contains("443") })
        #expect(resources.listeners.contains { $0.name == "10.214.0.3_3306" })
        let hosts = resources.routes.flatMap(\.virtualHosts).flatMap(\.domains)
        #expect(hosts.contains("web") && !hosts.contains("api.bank"))
        #expect(resources.endpoints.map(\.clusterName) == clusters)
    }

    @Test("The golden file of a scoped proxy")
    func golden() throws {
        let mesh = try self.mesh([(.own, "*"), (.any, "*.outside.test")], policy: .allowAny)

        try Golden.check("sidecar", mesh.resources())
    }

    @Test("Wildcards import what is below them; a host by name does not bring its wildcard along")
    func wildcards() throws {
        var mesh = try self.mesh([(.any, "*.bank.svc.cluster.local"), (.any, "a.wild.test"), (.any, "*.tree.test")])
        try mesh.entry("*.wild.test", addresses: ["240.240.0.2"], port: 443, .tls)
        try mesh.entry("*.deep.tree.test", addresses: ["240.240.0.3"], port: 443, .tls)

        #expect(
            self.names(try mesh.resources()) == [
                "*.deep.tree.test", "api.bank.svc.cluster.local", "db.bank.svc.cluster.local",
            ]
        )
    }

    @Test("Nothing imported is nothing to be reached; no list at all is everything")
    func extremes() throws {
        let nothing = try self.mesh([]).resources()
        let everything = try self.mesh(nil).resources()

        #expect(self.names(nothing).isEmpty && nothing.routes.isEmpty)
        #expect(nothing.clusters.allSatisfy { !$0.name.hasPrefix("outbound") })
        #expect(self.names(everything).count == 4)
    }

    @Test("Proxies of other namespaces, and gateways, see what they saw")
    func others() throws {
        let mesh = try self.mesh([])

        #expect(self.names(try mesh.resources(namespace: "bank")).count == 4)
    }

    @Test("Its outbound policy stands in for that of the mesh")
    func outboundPolicy() throws {
        let open = try self.mesh([], policy: .allowAny).resources()
        let closed = try self.mesh([]).resources()

        func last(_ resources: ProxyResources) throws -> String {
            try #require(resources.listeners.first { $0.name == "virtualOutbound" }).jsonString()
        }
        #expect(try last(open).contains("PassthroughCluster"))
        #expect(try !last(closed).contains("PassthroughCluster"))
    }

    @Test("Of two entries for one host it is the imported namespace's that counts")
    func twoEntries() throws {
        var mesh = try self.mesh([(.named("egress"), "shared.test")])
        try mesh.entry("shared.test", namespace: "other", addresses: ["240.240.0.8"], port: 443, .tls)
        try mesh.entry("shared.test", namespace: "egress", addresses: ["240.240.0.9"], port: 443, .tls)

        #expect(try mesh.resources().nameTable.table["shared.test"]?.ips == ["240.240.0.9"])
    }

    @Test("A port limits an import to this port")
    func onePort() throws {
        var mesh = try self.mesh([(.named("bank"), "api.bank.svc.cluster.local")])
        try mesh.edit { $0.sidecars[0].imports?[0].port = try port(80) }

        let clusters = try mesh.resources().clusters.map(\.name).filter { $0.hasPrefix("outbound") }

        #expect(clusters == ["outbound|80||api.bank.svc.cluster.local"])
    }

    @Test("Where a VirtualService in force leads to can be reached by it, and its name stays unknown")
    func destinations() throws {
        var mesh = try self.mesh([(.own, "*")])
        let api = RouteDestination(host: try host("api.bank.svc.cluster.local"), port: try port(80))
        try mesh.rules(for: "web.default.svc.cluster.local", http: [HTTPRouteRule(action: .forward([api]))])
        // Of a namespace that is not imported.
        try mesh.rules(
            for: "web.default.svc.cluster.local",
            namespace: "bank",
            http: [HTTPRouteRule(action: .respond(status: 418, body: nil))]
        )

        let resources = try mesh.resources()

        #expect(resources.clusters.contains { $0.name == "outbound|80||api.bank.svc.cluster.local" })
        #expect(self.names(resources) == ["web.default.svc.cluster.local"])
        let routes = resources.routes.flatMap(\.virtualHosts).flatMap(\.routes)
        #expect(routes.contains { $0.route.cluster == "outbound|80||api.bank.svc.cluster.local" })
        #expect(!routes.contains { $0.directResponse.status == 418 })
    }

    @Test("Its ingress stands in for the ports of Services: protocol and place of the application are its own")
    func ingress() throws {
        var mesh = try self.mesh(nil)
        try mesh.edit { snapshot in
            snapshot.sidecars[0].entrances = [
                .init(
                    port: try port(9080),
                    applicationProtocol: .http,
                    target: .loopback(try port(8080), isIPv6: false)
                ), .init(port: try port(7000), applicationProtocol: .tcp, target: .workload(try port(7001))),
            ]
        }

        let resources = try mesh.resources(pod: "web-10.213.1.1", address: "10.213.1.1")

        let inbound = resources.clusters.filter { $0.name.hasPrefix("inbound|") }
        #expect(inbound.map(\.name) == ["inbound|7000||", "inbound|9080||"])
        let places = inbound.map { cluster in
            let address = cluster.loadAssignment.endpoints[0].lbEndpoints[0].endpoint.address.socketAddress
            return "\(cluster.type) \(address.address):\(address.portValue)"
        }
        #expect(places == ["static 10.213.1.1:7001", "static 127.0.0.1:8080"])
        let listener = try #require(resources.listeners.first { $0.name == "virtualInbound" })
        let ports = Set(listener.filterChains.map(\.filterChainMatch.destinationPort.value))
        // The workload's own Service leads to port 80, which is a port like any other now.
        #expect(ports.contains(9080) && ports.contains(7000) && !ports.contains(80))
    }
}
