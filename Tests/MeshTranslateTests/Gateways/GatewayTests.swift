import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct GatewayTests {
    typealias Y = GatewayYAML
    static let passthrough = "mode: PASSTHROUGH"
    static let simple = "mode: SIMPLE, credentialName: cert"

    // MARK: Ports

    @Test("Without Gateways a gateway listens on nothing, whatever services there are")
    func nothing() throws {
        let resources = try GatewayMesh(.ingress, Y.services).ingress()

        #expect(resources.listeners.isEmpty)
        #expect(resources.routes.isEmpty)
        #expect(resources.clusters.contains { $0.name == "outbound|8000||web.default.svc.cluster.local" })
    }

    @Test("A port that no Service has is bound as it is")
    func portItself() throws {
        let mesh = try GatewayMesh(.ingress, Y.services + Y.gateway("edge", Y.server(9443, "HTTP", "'*'")) + Y.web)

        #expect(try mesh.ingress().listeners.map(\.name) == ["0.0.0.0_9443"])
        #expect(try mesh.ingress().routes.map(\.name) == ["http.9443"])
    }

    @Test("A port of a Service whose endpoints nobody knows yet is not bound: it could be the wrong one")
    func portPending() throws {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: door, namespace: istio-system}
            spec:
              clusterIP: 10.214.0.9
              selector: {istio: ingressgateway}
              ports: [{name: http2, port: 80, targetPort: 8080}]

            """
        var mesh = try GatewayMesh(nil, service + Y.gateway("edge", Y.server(80, "HTTP", "'*'")) + Y.web)
        #expect(try mesh.ingress().listeners.isEmpty)

        try mesh.apply(GatewayMesh.file("ingress/gateway"))
        #expect(try mesh.ingress().listeners.map(\.name) == ["0.0.0.0_8080"])
    }

    @Test("The proxy's own ports are not given away", arguments: [15000, 15021, 15090])
    func reserved(_ number: Int) throws {
        let mesh = try GatewayMesh(nil, Y.gateway("edge", Y.server(number, "HTTP", "'*'")))

        #expect(try mesh.ingress().listeners.isEmpty)
    }

    @Test("A Gateway is for the pods that have all labels of its selector")
    func selection() throws {
        let mesh = try GatewayMesh(nil, Y.gateway("edge", Y.server(9000, "HTTP", "'*'")))

        #expect(try mesh.ingress().listeners.count == 1)
        #expect(try mesh.egress().listeners.isEmpty)
        #expect(try mesh.egress(labels: ["istio": "ingressgateway"]).listeners.count == 1)
    }

    @Test("An address of its own makes a listener of its own")
    func bind() throws {
        let servers = [
            Y.server(9000, "HTTP", "a.example.com"), Y.server(9000, "TCP", "'*'", more: ", bind: 10.213.1.3"),
        ]
        let rules = Y.rules("db", hosts: "'*'", gateways: "edge", "tcp: [{\(Y.route("shop", port: 5000))}]")
        let mesh = try GatewayMesh(nil, Y.services + Y.gateway("edge", servers[0], servers[1]) + rules)

        let listeners = try mesh.ingress().listeners
        #expect(listeners.map(\.name) == ["0.0.0.0_9000", "10.213.1.3_9000"])
        #expect(listeners[1].address.socketAddress.address == "10.213.1.3")
    }

    // MARK: Several Gateways on one port

    @Test("Who came first says what is spoken on a port", arguments: [("HTTP", "TCP"), ("TCP", "HTTP")])
    func protocolConflict(_ old: String, _ young: String) throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("old", age: 2, Y.server(9000, old, "'*'"))
                + Y.gateway("young", age: 1, Y.server(9000, young, "'*'"))
                + Y.rules(
                    "both",
                    hosts: "'*'",
                    gateways: "old, young",
                    "http: [{\(Y.route("web", port: 8000))}]\n  tcp: [{\(Y.route("shop", port: 5000))}]"
                )
        )

        let resources = try mesh.ingress()
        #expect(resources.listeners.count == 1)
        #expect(resources.routes.isEmpty == (old == "TCP"))
    }

    @Test("Of two TLS servers with one host the older has it; the younger keeps its others")
    func duplicateHost() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("old", age: 2, Y.server(443, "HTTPS", "a.example.com", tls: Self.simple))
                + Y.gateway("young", Y.server(443, "HTTPS", "a.example.com, b.example.com", tls: Self.simple))
        )

        let chains = try #require(try mesh.ingress().listeners.first).filterChains
        #expect(chains.map(\.name) == ["https.443.https.old.default", "https.443.https.young.default"])
        #expect(chains.map(\.filterChainMatch.serverNames) == [["a.example.com"], ["b.example.com"]])
    }

    @Test("A name that another server lists is not taken by a wildcard's rules")
    func wildcardBesideName() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services
                + Y.gateway(
                    "edge",
                    Y.server(443, "TLS", "'*.example.com'", tls: Self.passthrough),
                    Y.server(443, "HTTPS", "web.example.com", tls: Self.simple)
                )
                + Y.rules(
                    "all",
                    hosts: "'*.example.com'",
                    gateways: "edge",
                    "tls: [{match: [{sniHosts: [web.example.com, db.example.com]}], \(Y.route("shop", port: 8443))}]"
                )
        )

        let chains = try #require(try mesh.ingress().listeners.first).filterChains
        #expect(chains.map(\.filterChainMatch.serverNames) == [["db.example.com"], ["web.example.com"]])
        #expect(chains.map(\.hasTransportSocket) == [false, true])
    }

    @Test("Of two rules with one server name the first has it; the second keeps its others")
    func duplicateName() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(443, "TLS", "'*.example.com'", tls: Self.passthrough))
                + Y.rules(
                    "all",
                    hosts: "'*.example.com'",
                    gateways: "edge",
                    """
                    tls:
                      - {match: [{sniHosts: [a.example.com]}], \(Y.route("shop", port: 8443))}
                      - {match: [{sniHosts: [a.example.com, b.example.com]}], \(Y.route("web", port: 8000))}
                    """
                )
        )

        let chains = try #require(try mesh.ingress().listeners.first).filterChains
        #expect(chains.map(\.filterChainMatch.serverNames) == [["a.example.com"], ["b.example.com"]])
    }

    // MARK: Rules

    @Test("Without a VirtualService every request is answered with 404")
    func blackHole() throws {
        let mesh = try GatewayMesh(nil, Y.gateway("edge", Y.server(9000, "HTTP", "'*'")))

        let hosts = try #require(try mesh.ingress().routes.first).virtualHosts
        #expect(hosts.map(\.name) == ["blackhole:9000"])
        #expect(hosts[0].domains == ["*"])
        #expect(hosts[0].routes.isEmpty)
    }

    @Test(
        "A VirtualService is reached by what both it and the server name",
        arguments: [
            ("'*'", "'*'", ["*"]), ("'*'", "a.example.com", ["a.example.com"]),
            ("a.example.com", "'*'", ["a.example.com"]), ("'*.example.com'", "a.example.com", ["a.example.com"]),
            ("'*.example.com'", "example.com", []), ("a.example.com", "b.example.com", []),
            ("'*.example.com'", "'*.a.example.com'", ["*.a.example.com"]),
            ("default/a.example.com", "a.example.com", ["a.example.com"]), ("shop/a.example.com", "a.example.com", []),
            ("./a.example.com", "a.example.com", ["a.example.com"]), ("'*/a.example.com'", "'*'", ["a.example.com"]),
        ] as [(String, String, [String])]
    )
    func hosts(_ server: String, _ rules: String, _ expected: [String]) throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(9000, "HTTP", server))
                + Y.rules("web", hosts: rules, gateways: "edge", "http: [{\(Y.route("web", port: 8000))}]")
        )

        let hosts = try #require(try mesh.ingress().routes.first).virtualHosts
        #expect(hosts.flatMap(\.domains) == (expected.isEmpty ? ["*"] : expected))
        #expect(hosts.flatMap(\.routes).isEmpty == expected.isEmpty)
    }

    @Test("Rules for the mesh, and for other gateways, are no rules of a gateway", arguments: ["mesh", "other/edge"])
    func otherGateways(_ gateways: String) throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(9000, "HTTP", "'*'"))
                + Y.rules("web", hosts: "web", gateways: gateways, "http: [{\(Y.route("web", port: 8000))}]")
        )

        #expect(try mesh.ingress().routes.flatMap(\.virtualHosts).flatMap(\.routes).isEmpty)
    }

    @Test("What is not exported to the gateway's namespace has no effect there")
    func visibility() throws {
        var mesh = try GatewayMesh(nil, Y.services + Y.gateway("edge", Y.server(9000, "HTTP", "'*'")) + Y.web)
        #expect(try mesh.ingress().routes.flatMap(\.virtualHosts).flatMap(\.routes).count == 1)

        try mesh.apply(Y.web.replacing("spec:\n", with: "spec:\n  exportTo: ['.']\n"))
        #expect(try mesh.ingress().routes.flatMap(\.virtualHosts).flatMap(\.routes).isEmpty)
    }

    @Test(
        "A match is about the Gateway's port, and about sources only if it does not name the gateway",
        arguments: [
            ("port: 80", true), ("port: 8080", false), ("gateways: [edge]", true), ("gateways: [mesh]", false),
            ("sourceLabels: {app: sleep}", false), ("sourceLabels: {istio: ingressgateway}", true),
            ("gateways: [edge], sourceLabels: {app: sleep}", true), ("sourceNamespace: default", false),
            ("sourceNamespace: istio-system", true), ("gateways: [edge], port: 81", false),
        ]
    )
    func matches(_ match: String, _ isTaken: Bool) throws {
        let mesh = try GatewayMesh(
            .ingress,
            Y.services + Y.gateway("edge", Y.server(80, "HTTP", "'*'"))
                + Y.rules(
                    "web",
                    hosts: "a.example.com",
                    gateways: "edge, mesh",
                    "http: [{match: [{\(match)}], \(Y.route("web", port: 8000))}]"
                )
        )

        let routes = try mesh.ingress().routes.flatMap(\.virtualHosts).flatMap(\.routes)
        #expect(routes.map(\.route.cluster) == (isTaken ? ["outbound|8000||web.default.svc.cluster.local"] : []))
    }

    @Test("Several VirtualServices for one host are put together; what takes everything goes last")
    func oneHostTwice() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(9000, "HTTP", "'*'"))
                + Y.rules("a", hosts: "a.example.com", gateways: "edge", "http: [{\(Y.route("web", port: 8000))}]")
                + Y.rules(
                    "b",
                    hosts: "a.example.com",
                    gateways: "edge",
                    "http: [{match: [{uri: {prefix: /shop}}], \(Y.route("shop", port: 8000))}]"
                )
        )

        let hosts = try #require(try mesh.ingress().routes.first).virtualHosts
        #expect(hosts.count == 1)
        #expect(
            hosts[0].routes.map(\.route.cluster) == [
                "outbound|8000||shop.default.svc.cluster.local", "outbound|8000||web.default.svc.cluster.local",
            ]
        )
    }

    @Test("A redirect to HTTPS holds for its server's hosts, without a VirtualService and beside other servers")
    func redirect() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services
                + Y.gateway(
                    "edge",
                    Y.server(9000, "HTTP", "'*.example.com'", tls: "httpsRedirect: true"),
                    "{port: {number: 9000, name: plain, protocol: HTTP}, hosts: [plain.example.com]}"
                )
                + Y.rules(
                    "web",
                    hosts: "plain.example.com, secure.example.com",
                    gateways: "edge",
                    "http: [{\(Y.route("web", port: 8000))}]"
                )
        )

        let hosts = try #require(try mesh.ingress().routes.first).virtualHosts
        let redirects = hosts.filter { $0.routes.contains { $0.redirect.httpsRedirect } }.flatMap(\.domains)
        #expect(redirects == ["*.example.com", "secure.example.com"])
        #expect(hosts.first { $0.domains == ["plain.example.com"] }?.routes.count == 1)
    }

    func chainNames(_ mesh: GatewayMesh) throws -> [String] {
        try mesh.ingress().listeners.flatMap(\.filterChains).map(\.name)
    }
}

extension String {
    func replacing(_ part: String, with other: String) -> String {
        guard let range = self.firstRange(of: part) else { return self }
        return String(self[..<range.lowerBound]) + other + self[range.upperBound...]
    }
}
