import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct InboundTLSTests {
    private static let meshHello = ["istio-http/1.1", "istio", "http/1.1"]

    @Test("A permissive port takes the mesh's TLS off, passes an application's TLS on and takes plain text")
    func permissive() throws {
        let reading = try self.reading(self.mesh())

        let mesh = try #require(reading.chain(port: 9080, offered: Self.meshHello))
        #expect(try mesh.downstreamTLS().requireClientCertificate.value)
        #expect(!mesh.isTCP)
        let application = try #require(reading.chain(port: 9080, offered: ["h2", "http/1.1"]))
        #expect(!application.hasTransportSocket)
        #expect(application.isTCP)
        let plain = try #require(reading.chain(port: 9080, offered: nil))
        #expect(!plain.hasTransportSocket)
        #expect(!plain.isTCP)
    }

    @Test("Every name of the mesh leads to the mesh's TLS", arguments: MeshALPN.meshNames)
    func names(_ name: String) throws {
        let reading = try self.reading(self.mesh())

        #expect(reading.chain(port: 9080, offered: [name])?.hasTransportSocket == true)
        #expect(reading.chain(port: 7777, offered: [name])?.hasTransportSocket == true)
    }

    @Test("A strict port closes plain connections, and TLS of an application's own must show a certificate of the mesh")
    func strict() throws {
        var mesh = try self.mesh()
        mesh.peers(.strict)
        let reading = try self.reading(mesh)

        for port in [UInt32(9080), 3306, 7777] {
            #expect(reading.chain(port: port, offered: nil) == nil)
            for offered in [[], ["h2"], Self.meshHello] {
                let chain = try #require(reading.chain(port: port, offered: offered))
                #expect(try chain.downstreamTLS().requireClientCertificate.value)
            }
        }
    }

    @Test("A port without mutual TLS takes what comes, as it comes, and waits for nothing")
    func disabled() throws {
        var mesh = try self.mesh()
        mesh.peers(nil, namespace: "default", selector: ["app": "web"], ports: [try port(3306): .disable])
        let reading = try self.reading(mesh)

        for offered in [nil, [], Self.meshHello] {
            #expect(reading.chain(port: 3306, offered: offered)?.hasTransportSocket == false)
        }
        #expect(!reading.inspects(port: 3306))
        #expect(reading.inspects(port: 9080))
        #expect(reading.inspects(port: 7777))
    }

    @Test("Where only some ports take mutual TLS, the others are not inspected")
    func mostlyDisabled() throws {
        var mesh = try self.mesh()
        mesh.peers(.disable)
        #expect(try self.reading(mesh).listener.listenerFilters.map(\.name) == ["envoy.filters.listener.original_dst"])

        mesh.peers(nil, namespace: "default", selector: ["app": "web"], ports: [try port(9080): .strict])
        let reading = try self.reading(mesh)
        #expect(reading.inspects(port: 9080))
        #expect(!reading.inspects(port: 3306))
        #expect(!reading.inspects(port: 7777))
        #expect(reading.chain(port: 9080, offered: nil) == nil)
        #expect(reading.chain(port: 3306, offered: nil) != nil)
    }

    @Test("A policy for a port holds although no service leads there")
    func undeclared() throws {
        var mesh = try self.mesh()
        mesh.peers(nil, namespace: "default", selector: ["app": "web"], ports: [try port(7777): .strict])
        let reading = try self.reading(mesh)

        #expect(reading.chain(port: 7777, offered: nil) == nil)
        #expect(reading.chain(port: 7777, offered: ["istio"])?.isTCP == true)
        #expect(reading.chain(port: 7778, offered: nil) != nil)
    }

    @Test("Who connects must be of one of our trust domains, and both ends know what they speak")
    func context() throws {
        var mesh = try self.mesh()
        mesh.edit {
            $0.settings.trustDomain = "corp.test"
            $0.settings.trustDomainAliases = ["old.test", "corp.test"]
            $0.settings.meshTLSVersionMin = .v1_3
        }
        let reading = try self.reading(mesh)

        let http = try #require(try reading.chain(port: 9080, offered: ["istio"])?.downstreamTLS().commonTlsContext)
        let bytes = try #require(try reading.chain(port: 3306, offered: ["istio"])?.downstreamTLS().commonTlsContext)

        let names = http.combinedValidationContext.defaultValidationContext.matchTypedSubjectAltNames
        #expect(names.map(\.sanType) == [.uri, .uri])
        #expect(names.map(\.matcher.prefix) == ["spiffe://corp.test/", "spiffe://old.test/"])
        #expect(http.combinedValidationContext.validationContextSdsSecretConfig.name == "ROOTCA")
        #expect(http.tlsCertificateSdsSecretConfigs.map(\.name) == ["default"])
        #expect(http.tlsParams.tlsMinimumProtocolVersion == .tlsv13)
        #expect(http.alpnProtocols == ["h2", "http/1.1"])
        #expect(bytes.alpnProtocols == ["istio"])
    }

    @Test("Requests carry on who the client is; the application's own cannot")
    func clientCertificate() throws {
        let resources = try self.resources(self.mesh())
        let reading = try self.reading(self.mesh())

        let inbound = try #require(try reading.chain(port: 9080, offered: ["istio"])?.manager())
        #expect(inbound.forwardClientCertDetails == .appendForward)
        #expect(inbound.setCurrentClientCertDetails.uri)
        let outbound = try #require(resources.listeners.first { $0.name == "0.0.0.0_9080" })
        #expect(try outbound.defaultFilterChain.manager().forwardClientCertDetails == .sanitize)
    }

    @Test("A client that says nothing first waits for a bounded time, or as the mesh says")
    func serverFirst() throws {
        var mesh = try self.mesh()
        let listener = try self.reading(mesh).listener
        #expect(listener.listenerFiltersTimeout.seconds == 1)
        #expect(listener.continueOnListenerFiltersTimeout)

        mesh.edit { $0.settings.protocolDetectionTimeout = .seconds(5) }
        #expect(try self.reading(mesh).listener.listenerFiltersTimeout.seconds == 5)
    }

    @Test("HTTP/2 that comes in goes on to the application as HTTP/2")
    func http2() throws {
        var mesh = MeshBuilder()
        try mesh.service("rpc", ip: "10.214.0.5", ports: ["grpc": 9001], endpoints: ["10.213.9.9": [:]])

        let cluster = try #require(try mesh.resources().clusters.first { $0.name == "inbound|9001||" })

        #expect(try cluster.speaksHTTP2())
    }

    @Test("Policies in any order give the same bytes")
    func order() throws {
        var mesh = try self.mesh()
        mesh.peers(.strict)
        mesh.peers(.disable, namespace: "default")
        mesh.peers(.permissive, namespace: "default", selector: ["app": "web"], ports: [try port(9080): .strict])
        let first = try self.resources(mesh)

        mesh.edit { $0.peerPolicies.reverse() }

        #expect(try self.resources(mesh) == first)
    }

    private func mesh() throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.service(
            "web",
            ip: "10.214.0.5",
            ports: ["http": 9080, "mysql": 3306],
            endpoints: ["10.213.9.9": ["app": "web"]]
        )
        return mesh
    }

    private func resources(_ mesh: MeshBuilder) throws -> ProxyResources { try mesh.resources(labels: ["app": "web"]) }

    private func reading(_ mesh: MeshBuilder) throws -> ListenerReading {
        let listener = try self.resources(mesh).listeners.first { $0.name == "virtualInbound" }
        return ListenerReading(listener: try #require(listener))
    }
}
