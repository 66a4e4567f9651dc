import MeshModel
import MeshTranslate
import Testing
import XDSAPI

/// What an ingress gateway listens on, to be read in review.
@Suite struct IngressGoldenTests {
    private typealias Y = GatewayYAML

    @Test("Two Gateways of two namespaces on one port of plain HTTP are one listener")
    func merged() throws {
        try self.check(
            "merged",
            Y.gateway("edge", age: 1, Y.server(80, "HTTP", "web.example.com")),
            Y.gateway("other", namespace: "shop", Y.server(80, "HTTP2", "./*.shop.example.com")),
            Y.rules("web", hosts: "web.example.com", gateways: "edge", "http: [{\(Y.route("web", port: 8000))}]"),
            Y.rules(
                "shop",
                namespace: "shop",
                hosts: "a.shop.example.com",
                gateways: "other",
                "http: [{\(Y.route("shop.default.svc.cluster.local", port: 8000))}]"
            )
        )
    }

    @Test("Plain HTTP is sent to HTTPS, which is served from a Secret")
    func redirect() throws {
        try self.check(
            "https-redirect",
            Y.gateway(
                "edge",
                Y.server(80, "HTTP", "web.example.com", tls: "httpsRedirect: true"),
                Y.server(443, "HTTPS", "web.example.com", tls: "mode: SIMPLE, credentialName: web-cert")
            ),
            Y.rules("web", hosts: "web.example.com", gateways: "edge", "http: [{\(Y.route("web", port: 8000))}]")
        )
    }

    @Test("Clients show certificates: required, optional, and of the mesh")
    func clientCertificates() throws {
        try self.check(
            "client-certificates",
            Y.gateway(
                "edge",
                Y.server(443, "HTTPS", "a.example.com", tls: "mode: MUTUAL, credentialName: a-cert"),
                """
                {port: {number: 443, name: https-b, protocol: HTTPS}, hosts: [b.example.com], \
                tls: {mode: OPTIONAL_MUTUAL, serverCertificate: /b/tls.crt, privateKey: /b/tls.key, \
                caCertificates: /b/ca.crt, subjectAltNames: [client.example.com], minProtocolVersion: TLSV1_3}}
                """,
                """
                {port: {number: 443, name: https-c, protocol: HTTPS}, hosts: [c.example.com], tls: {mode: ISTIO_MUTUAL}}
                """
            ),
            Y.web
        )
    }

    @Test("TLS of several hosts on one port: terminated, passed on by exact name and by wildcard")
    func serverNames() throws {
        try self.check(
            "server-names",
            Y.gateway(
                "edge",
                Y.server(443, "HTTPS", "web.example.com", tls: "mode: SIMPLE, credentialName: web-cert"),
                Y.server(443, "TLS", "'*.example.com'", tls: "mode: PASSTHROUGH"),
                Y.server(443, "TLS", "db.example.com", tls: "mode: SIMPLE, credentialName: db-cert")
            ),
            Y.rules(
                "all",
                hosts: "'*.example.com'",
                gateways: "edge",
                """
                http: [{\(Y.route("web", port: 8000))}]
                  tls:
                  - {match: [{port: 443, sniHosts: [exact.example.com]}], \(Y.route("shop", port: 8443))}
                  - {match: [{port: 443, sniHosts: ['*.example.com']}], \(Y.route("web", port: 8000))}
                  tcp: [{match: [{port: 443}], \(Y.route("shop", port: 5000))}]
                """
            )
        )
    }

    @Test("Other networks ask for services by server names")
    func automaticPassthrough() throws {
        try self.check(
            "auto-passthrough",
            Y.gateway("edge", Y.server(15443, "TLS", "'*.default.svc.cluster.local'", tls: "mode: AUTO_PASSTHROUGH")),
            """
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: shop}
            spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}]}
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: outside}
            spec:
              hosts: [outside.default.svc.cluster.local]
              ports: [{number: 443, name: tls, protocol: TLS}]
              resolution: DNS

            """
        )
    }

    @Test("Bytes go where the rules for their port say")
    func bytes() throws {
        try self.check(
            "tcp",
            Y.gateway("edge", Y.server(31400, "TCP", "'*'")),
            Y.rules(
                "db",
                hosts: "'*'",
                gateways: "edge",
                """
                tcp:
                  - {match: [{port: 9999}], \(Y.route("web", port: 8000))}
                  - match: [{port: 31400}]
                    route:
                    - {destination: {host: shop, port: {number: 5000}}, weight: 75}
                    - {destination: {host: web, port: {number: 8000}}, weight: 25}
                """
            )
        )
    }

    /// Compares what is the gateway's own: clusters that sidecars have, too, are not repeated here.
    private func check(_ name: String, _ yaml: String..., location: SourceLocation = #_sourceLocation) throws {
        let mesh = try GatewayMesh(.ingress, GatewayYAML.services + yaml.joined())
        let all = try mesh.ingress()
        var own = ProxyResources()
        own.listeners = all.listeners
        own.routes = all.routes
        own.clusters = all.clusters.filter { $0.name.hasPrefix("outbound_.") }
        #expect(mesh.snapshot.diagnoses.filter { $0.severity == .error } == [], sourceLocation: location)
        try Golden.check("ingress/\(name)", own, location: location)
    }
}
