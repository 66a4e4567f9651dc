import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// Gateways that pass bytes on, and what they tell clients.
extension GatewayTests {
    // MARK: Bytes

    @Test("TLS ports without rules for their connections are not opened")
    func noRules() throws {
        let servers = [
            Y.server(9001, "TLS", "a.example.com", tls: Self.passthrough),
            Y.server(9002, "TLS", "a.example.com", tls: Self.simple), Y.server(9003, "TCP", "'*'"),
        ]
        let mesh = try GatewayMesh(nil, Y.gateway("edge", servers[0], servers[1], servers[2]) + Y.web + Y.services)

        #expect(try mesh.ingress().listeners.isEmpty)
    }

    @Test("Mode decides whether `tls` or `tcp` rules are looked at (facts #47)")
    func rulesByMode() throws {
        let both = """
            tls: [{match: [{sniHosts: [a.example.com]}], \(Y.route("web", port: 8000))}]
              tcp: [{match: [{port: 443}], \(Y.route("shop", port: 5000))}]
            """
        let rules = Y.services + Y.rules("a", hosts: "a.example.com", gateways: "edge", both)

        let passed = try GatewayMesh(
            nil,
            rules + Y.gateway("edge", Y.server(443, "TLS", "a.example.com", tls: Self.passthrough))
        )
        let terminated = try GatewayMesh(
            nil,
            rules + Y.gateway("edge", Y.server(443, "TLS", "a.example.com", tls: Self.simple))
        )

        #expect(try self.chainNames(passed) == ["outbound|8000||web.default.svc.cluster.local"])
        #expect(try self.chainNames(terminated) == ["outbound|5000||shop.default.svc.cluster.local"])
    }

    @Test("TLS is asked for where any name is passed on: plain text finds no chain")
    func anyName() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(443, "TLS", "'*'", tls: Self.passthrough))
                + Y.rules(
                    "a",
                    hosts: "'*'",
                    gateways: "edge",
                    "tls: [{match: [{sniHosts: ['*']}], \(Y.route("shop", port: 8443))}]"
                )
        )

        let listener = try #require(try mesh.ingress().listeners.first)
        #expect(listener.filterChains.map(\.filterChainMatch.serverNames) == [[]])
        #expect(listener.filterChains.map(\.filterChainMatch.transportProtocol) == ["tls"])
        #expect(listener.listenerFilters.map(\.name) == ["envoy.filters.listener.tls_inspector"])
        #expect(!listener.hasDefaultFilterChain)
    }

    @Test("Blocks in `tcp` rules are matched first, the rest goes to the rule without")
    func blocks() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + Y.gateway("edge", Y.server(9000, "TCP", "'*'"))
                + Y.rules(
                    "a",
                    hosts: "'*'",
                    gateways: "edge",
                    """
                    tcp:
                      - {match: [{destinationSubnets: [10.1.0.0/16]}], \(Y.route("web", port: 8000))}
                      - {\(Y.route("shop", port: 5000))}
                      - {\(Y.route("web", port: 8000))}
                    """
                )
        )

        let chains = try #require(try mesh.ingress().listeners.first).filterChains
        #expect(chains.map(\.filterChainMatch.prefixRanges.count) == [1, 0])
        #expect(try self.chainNames(mesh).last == "outbound|5000||shop.default.svc.cluster.local")
    }

    // MARK: What is passed on

    @Test("What proxies tell each other is taken away where a route leaves the mesh, and only there")
    func headersStay() throws {
        let mesh = try GatewayMesh(
            nil,
            Y.services + """
                ---
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: api}
                spec:
                  hosts: [api.example.com]
                  ports: [{number: 80, name: http, protocol: HTTP}]
                  resolution: DNS

                """ + Y.gateway("edge", Y.server(9000, "HTTP", "'*'"))
                + Y.rules(
                    "mixed",
                    hosts: "'*'",
                    gateways: "edge",
                    """
                    http:
                      - match: [{uri: {prefix: /split}}]
                        route:
                        - {destination: {host: web, port: {number: 8000}}, weight: 50}
                        - {destination: {host: api.example.com, port: {number: 80}}, weight: 50}
                      - {match: [{uri: {prefix: /out}}], \(Y.route("api.example.com", port: 80))}
                      - {\(Y.route("web", port: 8000))}
                    """
                )
        )

        let routes = try mesh.ingress().routes.flatMap(\.virtualHosts).flatMap(\.routes)
        #expect(routes.map { $0.requestHeadersToRemove.contains("x-forwarded-client-cert") } == [false, true, false])
        let shares = routes[0].route.weightedClusters.clusters
        #expect(shares.map { $0.requestHeadersToRemove.contains("x-envoy-peer-metadata") } == [false, true])
        let own = try mesh.sidecar().routes.first { $0.name == "80" }?.virtualHosts.first {
            $0.name == "api.example.com:80"
        }
        #expect(own?.routes.first?.requestHeadersToRemove.contains("x-envoy-decorator-operation") == true)
    }

    @Test("Clients are noted by their address; access lines are written as at sidecars")
    func clients() throws {
        var mesh = try GatewayMesh(.ingress, Y.services + Y.gateway("edge", Y.server(80, "HTTP", "'*'")) + Y.web)
        try mesh.apply(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {mesh: ''}}"
        )

        let filter = try #require(try mesh.ingress().listeners.first?.filterChains.first?.filters.last)
        let manager = try Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager(
            unpackingAny: filter.typedConfig
        )
        #expect(manager.useRemoteAddress.value)
        #expect(manager.forwardClientCertDetails == .sanitize)
        #expect(manager.accessLog.count == 1)
    }
}
