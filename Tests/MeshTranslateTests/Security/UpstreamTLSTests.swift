import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct UpstreamTLSTests {
    private static let reviews = "reviews.default.svc.cluster.local"

    @Test("Endpoints that take mutual TLS get it without being asked for, the others do not")
    func automatic() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        mesh.giveIdentities()
        mesh.edit { snapshot in
            let key = ServiceKey(snapshot.services[0])
            snapshot.endpoints[key]?[1].hasMeshIdentity = false
        }
        let resources = try mesh.resources()

        let cluster = try self.cluster(resources)
        #expect(!cluster.hasTransportSocket)
        #expect(cluster.transportSocketMatches.map(\.name) == ["tlsMode-istio", "tlsMode-disabled"])
        let tls = try cluster.automaticTLS()
        #expect(tls.sni == "outbound_.9080_._.\(Self.reviews)")
        #expect(tls.commonTlsContext.alpnProtocols == ["istio-http/1.1", "istio", "http/1.1"])
        #expect(tls.commonTlsContext.tlsCertificateSdsSecretConfigs.map(\.name) == ["default"])
        #expect(Self.names(tls) == ["spiffe://cluster.local/ns/default/sa/bookinfo"])
        #expect(try self.marks(resources) == ["10.213.1.11": true, "10.213.1.12": false, "10.213.1.13": true])
    }

    @Test("Every account behind a service may answer for it; an account nobody knows means any of the mesh")
    func identities() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        mesh.giveIdentities()
        mesh.edit { snapshot in
            let key = ServiceKey(snapshot.services[0])
            snapshot.endpoints[key]?[0].serviceAccount = "canary"
            snapshot.settings.trustDomainAliases = ["old.test"]
        }
        #expect(
            Self.names(try self.cluster(mesh.resources()).automaticTLS()) == [
                "spiffe://cluster.local/ns/default/sa/bookinfo", "spiffe://cluster.local/ns/default/sa/canary",
                "spiffe://old.test/ns/default/sa/bookinfo", "spiffe://old.test/ns/default/sa/canary",
            ]
        )

        mesh.edit { snapshot in snapshot.endpoints[ServiceKey(snapshot.services[0])]?[0].serviceAccount = nil }
        #expect(
            Self.names(try self.cluster(mesh.resources()).automaticTLS()) == [
                "spiffe://cluster.local/*", "spiffe://old.test/*",
            ]
        )
    }

    @Test("Mutual TLS that a DestinationRule asks for knows the accounts of endpoints that do not offer it themselves")
    func identitiesAsked() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        mesh.giveIdentities()
        mesh.edit { snapshot in
            let key = ServiceKey(snapshot.services[0])
            for index in 0..<3 { snapshot.endpoints[key]?[index].hasMeshIdentity = false }
        }
        try mesh.policy(for: Self.reviews, self.policy(ClientTLSSettings(mode: .istioMutual)))
        let asked = Self.names(try self.cluster(mesh.resources()).upstreamTLS())
        #expect(asked == ["spiffe://cluster.local/ns/default/sa/bookinfo"])

        mesh.edit { snapshot in snapshot.endpoints[ServiceKey(snapshot.services[0])]?[0].serviceAccount = nil }
        let open = Self.names(try self.cluster(mesh.resources()).upstreamTLS())
        #expect(open == ["spiffe://cluster.local/*"])
    }

    @Test("Nothing is automatic outside the mesh, when it is switched off, or when a DestinationRule speaks")
    func explicit() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        mesh.giveIdentities()
        try mesh.entry("db.outside.test", addresses: ["10.215.0.10"], port: 3306, .tcp, resolution: .endpoints)
        let outside = try mesh.resources().clusters.first { $0.name == "outbound|3306||db.outside.test" }
        #expect(try #require(outside).transportSocketMatches.isEmpty)

        var off = mesh
        off.edit { $0.settings.automaticMutualTLS = false }
        let plain = try self.cluster(off.resources())
        #expect(plain.transportSocketMatches.isEmpty && !plain.hasTransportSocket)
        #expect(try self.marks(off.resources()).values.allSatisfy { !$0 })

        var disabled = mesh
        try disabled.policy(for: Self.reviews, self.policy(ClientTLSSettings(mode: .disable)))
        let cluster = try self.cluster(disabled.resources())
        #expect(cluster.transportSocketMatches.isEmpty && !cluster.hasTransportSocket)
        #expect(try self.marks(disabled.resources()).values.allSatisfy { !$0 })

        try mesh.policy(for: Self.reviews, self.policy(ClientTLSSettings(mode: .istioMutual)))
        let mutual = try self.cluster(mesh.resources())
        #expect(mutual.transportSocketMatches.isEmpty)
        #expect(try mutual.upstreamTLS().sni == "outbound_.9080_._.\(Self.reviews)")
    }

    @Test("A headless service gets mutual TLS when all of its endpoints take it")
    func headless() throws {
        var mesh = MeshBuilder()
        try mesh.service(
            "peers",
            ip: nil,
            ports: ["tcp": 7000],
            endpoints: ["10.213.1.70": [:], "10.213.1.71": [:]],
            isHeadless: true
        )
        let name = "outbound|7000||peers.default.svc.cluster.local"
        #expect(try mesh.resources().clusters.first { $0.name == name }?.hasTransportSocket == false)

        mesh.giveIdentities()
        let cluster = try #require(try mesh.resources().clusters.first { $0.name == name })
        #expect(try cluster.upstreamTLS().commonTlsContext.alpnProtocols == ["istio"])

        mesh.edit { snapshot in snapshot.endpoints[ServiceKey(snapshot.services[0])]?[0].hasMeshIdentity = false }
        #expect(try mesh.resources().clusters.first { $0.name == name }?.hasTransportSocket == false)
    }

    @Test("What stands for a port replaces what stands above it, and a subset's overlays it (facts #40)")
    func levels() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        mesh.giveIdentities()
        var top = self.policy(ClientTLSSettings(mode: .simple))
        top.ports = [try port(9080): TrafficPolicy()]
        try mesh.policy(for: Self.reviews, top)
        #expect(try self.cluster(mesh.resources()).transportSocketMatches.count == 2)

        mesh = try GoldenTests.bookinfoMesh()
        var cnn = ClientTLSSettings(mode: .istioMutual)
        cnn.serverName = "edition.cnn.com"
        var own = TrafficPolicy()
        own.loadBalancing = .roundRobin
        own.ports = [try port(9080): self.policy(cnn)]
        try mesh.policy(
            for: Self.reviews,
            self.policy(ClientTLSSettings(mode: .disable)),
            subsets: [DestinationPolicy.Subset(name: "cnn", labels: [:], policy: own)]
        )
        let resources = try mesh.resources()
        #expect(try !self.cluster(resources).hasTransportSocket)
        #expect(try self.cluster(resources, subset: "cnn").upstreamTLS().sni == "edition.cnn.com")

        mesh = try GoldenTests.bookinfoMesh()
        var balanced = TrafficPolicy()
        balanced.loadBalancing = .random
        try mesh.policy(
            for: Self.reviews,
            self.policy(ClientTLSSettings(mode: .istioMutual)),
            subsets: [DestinationPolicy.Subset(name: "v1", labels: [:], policy: balanced)]
        )
        let subset = try self.cluster(mesh.resources(), subset: "v1")
        #expect(subset.lbPolicy == .random)
        #expect(try subset.upstreamTLS().sni == "outbound_.9080_.v1_.\(Self.reviews)")
    }

    @Test("Origination trusts the system's roots and asks for the name of the host, on HTTP and on bytes")
    func origination() throws {
        var mesh = MeshBuilder()
        try mesh.entry("edition.cnn.com", port: 443, .http, resolution: .dns(roundRobin: false))
        try mesh.entry("db.outside.test", port: 5432, .tcp, resolution: .dns(roundRobin: false))
        try mesh.entry("api.outside.test", port: 443, .http2, resolution: .dns(roundRobin: false))
        for host in ["edition.cnn.com", "db.outside.test", "api.outside.test"] {
            try mesh.policy(for: host, self.policy(ClientTLSSettings(mode: .simple)))
        }
        let resources = try mesh.resources()

        let http = try self.external(resources, "outbound|443||edition.cnn.com").upstreamTLS()
        #expect(http.sni == "edition.cnn.com")
        #expect(http.commonTlsContext.alpnProtocols == ["http/1.1"])
        #expect(http.commonTlsContext.tlsCertificateSdsSecretConfigs.isEmpty)
        #expect(
            http.commonTlsContext.validationContext.trustedCa.filename == "/etc/ssl/certs/ca-certificates.crt"
        )
        #expect(Self.names(http) == ["DNS:edition.cnn.com"])
        let bytes = try self.external(resources, "outbound|5432||db.outside.test").upstreamTLS()
        #expect(bytes.commonTlsContext.alpnProtocols.isEmpty)
        let two = try self.external(resources, "outbound|443||api.outside.test").upstreamTLS()
        #expect(two.commonTlsContext.alpnProtocols == ["h2"])
    }

    @Test("Names that a certificate must have: as written, as the entry says, the server name, the host")
    func names() throws {
        var tls = ClientTLSSettings(mode: .simple)
        tls.serverName = "other.test"
        #expect(try Self.names(self.originated(tls)) == ["DNS:other.test"])
        #expect(try self.originated(tls).sni == "other.test")
        #expect(try Self.names(self.originated(tls, entry: ["entry.test"])) == ["DNS:entry.test"])
        tls.subjectAltNames = ["spiffe://partner.test/x", "10.1.2.3", "a.test"]
        #expect(
            try Self.names(self.originated(tls, entry: ["entry.test"])) == [
                "spiffe://partner.test/x", "10.1.2.3", "DNS:a.test",
            ]
        )
        tls.skipsVerification = true
        #expect(try self.originated(tls).commonTlsContext.validationContextType == nil)
    }

    @Test("A wildcard host takes the name of each request, or for bytes any name it covers")
    func wildcards() throws {
        var mesh = MeshBuilder()
        try mesh.entry("*.wiki.test", port: 443, .http)
        try mesh.entry("*.db.test", port: 5432, .tcp)
        for host in ["*.wiki.test", "*.db.test"] {
            try mesh.policy(for: host, self.policy(ClientTLSSettings(mode: .simple)))
        }
        let resources = try mesh.resources()

        let http = try self.external(resources, "outbound|443||*.wiki.test")
        #expect(try http.upstreamTLS().sni.isEmpty)
        #expect(try http.httpOptions().upstreamHTTPProtocolOptions.autoSni)
        #expect(try http.httpOptions().upstreamHTTPProtocolOptions.autoSanValidation)
        #expect(try !http.speaksHTTP2())
        let bytes = try self.external(resources, "outbound|5432||*.db.test").upstreamTLS()
        #expect(
            bytes.commonTlsContext.validationContext.matchTypedSubjectAltNames.map(\.matcher.suffix) == [".db.test"]
        )
    }

    @Test("Mutual TLS shows a certificate from files or from a Secret")
    func certificates() throws {
        var tls = ClientTLSSettings(mode: .mutual)
        tls.certificatePath = "/etc/certs/cert-chain.pem"
        tls.privateKeyPath = "/etc/certs/key.pem"
        tls.rootsPath = "/etc/certs/root-cert.pem"
        tls.revocationListPath = "/etc/certs/crl.pem"
        let files = try self.originated(tls).commonTlsContext
        #expect(files.tlsCertificates.map(\.privateKey.filename) == ["/etc/certs/key.pem"])
        #expect(files.validationContext.trustedCa.filename == "/etc/certs/root-cert.pem")
        #expect(files.validationContext.crl.filename == "/etc/certs/crl.pem")

        tls = ClientTLSSettings(mode: .mutual)
        tls.credentialName = "client"
        let secret = try self.originated(tls).commonTlsContext
        #expect(secret.tlsCertificateSdsSecretConfigs.map(\.name) == ["kubernetes://client"])
        #expect(
            secret.combinedValidationContext.validationContextSdsSecretConfig.name == "kubernetes://client-cacert"
        )
        #expect(
            secret.combinedValidationContext.defaultValidationContext.matchTypedSubjectAltNames.map(\.matcher.exact)
                == ["www.outside.test"]
        )
        tls.mode = .simple
        #expect(try self.originated(tls).commonTlsContext.tlsCertificateSdsSecretConfigs.isEmpty)
    }

    @Test("An upgrade to HTTP/2 changes the protocol and what TLS offers, on ports of HTTP alone")
    func upgrade() throws {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.214.0.5", ports: ["http": 80, "tcp": 81], endpoints: ["10.213.1.5": [:]])
        var policy = TrafficPolicy()
        policy.upgradesToHTTP2 = true
        try mesh.policy(for: "web.default.svc.cluster.local", policy)
        let resources = try mesh.resources()

        let http = try self.external(resources, "outbound|80||web.default.svc.cluster.local")
        #expect(try http.speaksHTTP2())
        #expect(try http.automaticTLS().commonTlsContext.alpnProtocols == ["istio-h2", "istio", "h2"])
        let tcp = try self.external(resources, "outbound|81||web.default.svc.cluster.local")
        #expect(tcp.typedExtensionProtocolOptions.isEmpty)
    }

    @Test("What a client offers, a server of the same protocol answers with a name that both know")
    func agreement() {
        for content in MeshALPN.Content.allCases {
            let offered = MeshALPN.client(content)
            let server = content == .bytes ? MeshALPN.bytesServer : MeshALPN.httpServer
            let chosen = server.first { offered.contains($0) }
            #expect(chosen.map { MeshALPN.content(negotiated: $0) ?? .bytes } == content)
            #expect(offered.contains { MeshALPN.meshNames.contains($0) })
            #expect(!MeshALPN.publicClient(content).contains { MeshALPN.meshNames.contains($0) })
        }
        #expect(MeshALPN.content(negotiated: "istio-h2") == .http2)
        #expect(MeshALPN.content(negotiated: "spdy/3") == nil)
    }

    private func policy(_ tls: ClientTLSSettings) -> TrafficPolicy {
        var policy = TrafficPolicy()
        policy.tls = tls
        return policy
    }

    private func originated(
        _ tls: ClientTLSSettings,
        entry names: [String] = []
    ) throws -> Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext {
        var mesh = MeshBuilder()
        try mesh.entry("www.outside.test", port: 443, .http, resolution: .dns(roundRobin: false))
        mesh.edit { $0.services[0].subjectAltNames = names }
        try mesh.policy(for: "www.outside.test", self.policy(tls))
        return try self.external(mesh.resources(), "outbound|443||www.outside.test").upstreamTLS()
    }

    private func external(_ resources: ProxyResources, _ name: String) throws -> Envoy_Config_Cluster_V3_Cluster {
        try #require(resources.clusters.first { $0.name == name })
    }

    private func cluster(
        _ resources: ProxyResources,
        subset: String = ""
    ) throws -> Envoy_Config_Cluster_V3_Cluster {
        try self.external(resources, "outbound|9080|\(subset)|\(Self.reviews)")
    }

    /// Whether each endpoint of reviews is marked as taking mutual TLS.
    private func marks(_ resources: ProxyResources) throws -> [String: Bool] {
        let assignment = try #require(
            resources.endpoints.first { $0.clusterName == "outbound|9080||\(Self.reviews)" }
        )
        let marks = assignment.endpoints.flatMap(\.lbEndpoints).map { endpoint in
            let metadata = endpoint.metadata.filterMetadata["envoy.transport_socket_match"]
            return (
                endpoint.endpoint.address.socketAddress.address, metadata?.fields["tlsMode"]?.stringValue == "istio"
            )
        }
        return Dictionary(uniqueKeysWithValues: marks)
    }

    private static func names(_ tls: Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext) -> [String] {
        let context = tls.commonTlsContext
        let validation =
            switch context.validationContextType {
            case .combinedValidationContext(let both): both.defaultValidationContext
            default: context.validationContext
            }
        return validation.matchTypedSubjectAltNames.map {
            let kind = $0.sanType == .dns ? "DNS:" : ""
            return kind + ($0.matcher.exact.isEmpty ? $0.matcher.prefix + "*" : $0.matcher.exact)
        }
    }
}
