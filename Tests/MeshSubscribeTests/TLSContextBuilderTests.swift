import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

/// TLS out of transport sockets.
@Suite struct TLSContextBuilderTests {
    private typealias Upstream = Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext
    private typealias Downstream = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext
    private typealias Socket = Envoy_Config_Core_V3_TransportSocket

    private static func socket(_ context: some SwiftProtobuf.Message) throws -> Socket {
        try .with {
            $0.name = "envoy.transport_sockets.tls"
            $0.typedConfig = try Messages.any(context)
        }
    }

    /// The listener that a chain with `context` makes, and what is wrong with it.
    private static func build(_ context: Downstream) throws -> (ServerTLS?, String) {
        var builder = StateBuilder()
        var listener = Messages.listener("l", port: 1, try Messages.tcpFilter("c"))
        listener.filterChains[0].transportSocket = try Self.socket(context)
        let errors = builder.setListeners([try Messages.any(listener)], version: "1")
        return (builder.makeState().listeners.first?.chains.first?.tls, errors.map(\.description).joined())
    }

    private static func build(_ context: Upstream) throws -> (ClientTLS?, String) {
        var builder = StateBuilder()
        var cluster = Messages.edsCluster("c")
        cluster.transportSocket = try Self.socket(context)
        let errors = builder.setClusters([try Messages.any(cluster)], version: "1")
        let transports = builder.makeState().clusters.compactMap { $0 }.first?.transports
        return (transports?.first ?? nil, errors.map(\.description).joined())
    }

    @Test("A server of the mesh asks for an identity out of the mesh's roots")
    func buildsMeshServer() throws {
        let (tls, errors) = try Self.build(
            Downstream.with {
                $0.requireClientCertificate = true
                $0.commonTlsContext.tlsParams.tlsMinimumProtocolVersion = .tlsv13
                $0.commonTlsContext.alpnProtocols = ["h2", "http/1.1"]
                $0.commonTlsContext.tlsCertificateSdsSecretConfigs = [.with { $0.name = "default" }]
                $0.commonTlsContext.combinedValidationContext.validationContextSdsSecretConfig.name = "ROOTCA"
                $0.commonTlsContext.combinedValidationContext.defaultValidationContext.matchTypedSubjectAltNames = [
                    .with {
                        $0.sanType = .uri
                        $0.matcher.prefix = "spiffe://cluster.local/"
                    }
                ]
            }
        )
        #expect(errors == "")
        let name = PeerValidation.Name(kind: .uri, match: .prefix("spiffe://cluster.local/"))
        let expected = ServerTLS(
            certificates: [.secret("default")],
            validation: PeerValidation(roots: .secret("ROOTCA"), names: [name]),
            requiresClientCertificate: true,
            applicationProtocols: ["h2", "http/1.1"],
            versionMin: .v1_3
        )
        #expect(tls == expected)
    }

    @Test("A client takes files, names and a server name")
    func buildsClient() throws {
        let (tls, errors) = try Self.build(
            Upstream.with {
                $0.sni = "edition.cnn.com"
                $0.commonTlsContext.tlsCertificates = [
                    .with {
                        $0.certificateChain.filename = "/tls/crt"
                        $0.privateKey.filename = "/tls/key"
                    }
                ]
                $0.commonTlsContext.validationContext.trustedCa.filename = "/tls/ca"
                $0.commonTlsContext.validationContext.crl.filename = "/tls/crl"
                $0.commonTlsContext.validationContext.matchTypedSubjectAltNames = [
                    .with {
                        $0.sanType = .dns
                        $0.matcher.exact = "edition.cnn.com"
                    }
                ]
            }
        )
        #expect(errors == "")
        let expected = ClientTLS(
            certificate: .files(chain: "/tls/crt", key: "/tls/key"),
            validation: PeerValidation(
                roots: .file("/tls/ca"),
                names: [.init(kind: .dns, match: .exact("edition.cnn.com"))],
                revocationList: .file("/tls/crl")
            ),
            serverName: "edition.cnn.com"
        )
        #expect(tls == expected)
    }

    @Test("Endpoints get the transport that their marks choose, others the last one")
    func resolvesMatches() throws {
        var cluster = Messages.edsCluster("c")
        let mark = Google_Protobuf_Struct.with { $0.fields["tlsMode"] = .with { $0.stringValue = "istio" } }
        let context = Upstream.with { $0.sni = "mesh" }
        cluster.transportSocketMatches = [
            try .with {
                $0.name = "tlsMode-istio"
                $0.match = mark
                $0.transportSocket = try Self.socket(context)
            }
        ]
        var endpoints = Messages.endpoints("c", "10.0.0.1", "10.0.0.2")
        endpoints.endpoints[0].lbEndpoints[1].metadata.filterMetadata["envoy.transport_socket_match"] = mark
        var builder = StateBuilder()
        let errors =
            builder.setClusters([try Messages.any(cluster)], version: "1")
            + builder.setEndpoints([try Messages.any(endpoints)], version: "1")
        #expect(errors.isEmpty)
        let built = try #require(builder.makeState().clusters.compactMap { $0 }.first)
        #expect(built.transports.map { $0?.serverName } == ["mesh", nil])
        guard case .endpoints(let list) = built.discovery else {
            Issue.record("no endpoints")
            return
        }
        #expect(list.map(\.transport) == [1, 0])
    }

    @Test("Server names of requests are used and checked where the cluster says so")
    func takesNamesOfRequests() throws {
        var cluster = Messages.edsCluster("c")
        cluster.transportSocket = try Self.socket(Upstream())
        var options = Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions()
        options.explicitHTTPConfig.httpProtocolOptions = .init()
        options.upstreamHTTPProtocolOptions.autoSni = true
        options.upstreamHTTPProtocolOptions.autoSanValidation = true
        cluster.typedExtensionProtocolOptions = [
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": try Messages.any(options)
        ]
        var builder = StateBuilder()
        #expect(builder.setClusters([try Messages.any(cluster)], version: "1").isEmpty)
        let tls = builder.makeState().clusters.compactMap { $0 }.first?.transports.first ?? nil
        #expect(tls?.usesHostAsServerName == true)
        #expect(tls?.validation.verifiesHostName == true)
    }

    @Test("What cannot be done is refused by name")
    func refuses() throws {
        let (tls, errors) = try Self.build(
            Downstream.with {
                $0.requireSni = true
                $0.requireClientCertificate = true
                $0.commonTlsContext.tlsParams.ecdhCurves = ["P-256"]
                $0.commonTlsContext.tlsCertificates = [.with { $0.certificateChain.filename = "/tls/crt" }]
            }
        )
        #expect(tls == nil)
        for part in [
            "require_sni is not supported", "ecdh_curves is not supported",
            "tls_certificates[0].private_key: one of filename, inline_bytes, inline_string is needed",
            "require_client_certificate needs a validation context",
        ] {
            #expect(errors.contains(part), "\(part) in \(errors)")
        }
    }

    @Test("A chain can name its cluster by the server name, and inspectors can leave ports alone")
    func readsServerNameClusters() throws {
        var listener = Messages.listener("l", port: 1, try Messages.tcpFilter("c"))
        listener.filterChains[0].filters.insert(
            try .with {
                $0.name = "envoy.filters.network.sni_cluster"
                $0.typedConfig = try Messages.any(Envoy_Extensions_Filters_Network_SniCluster_V3_SniCluster())
            },
            at: 0
        )
        listener.listenerFilters = [
            try .with {
                $0.name = "envoy.filters.listener.tls_inspector"
                $0.typedConfig = try Messages.any(Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector())
                $0.filterDisabled.notMatch.destinationPortRange.start = 443
                $0.filterDisabled.notMatch.destinationPortRange.end = 444
            }
        ]
        var builder = StateBuilder()
        #expect(builder.setListeners([try Messages.any(listener)], version: "1").isEmpty)
        let built = try #require(builder.makeState().listeners.first)
        guard case .tcp(let proxy) = built.chains[0].terminal else {
            Issue.record("no TCP proxy")
            return
        }
        #expect(proxy.usesServerNameAsCluster)
        let isLeftAlone = try #require(built.uninspectedByTLS)
        #expect([80, 442, 443, 444].map { isLeftAlone.holds($0) } == [true, true, false, true])
    }
}
