import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct MeshSettingsTests {
    @Test("Without settings only what the registry knows may be reached")
    func defaults() throws {
        #expect(try Mesh().snapshot.settings == MeshSettings())
        #expect(try Mesh(Samples.settings("{}")).snapshot.settings.outboundPolicy == .registryOnly)
    }

    @Test("Settings are read, unknown ones ignored")
    func reads() throws {
        let mesh = try Mesh(
            Samples.settings(
                """
                {outboundTrafficPolicy: {mode: ALLOW_ANY}, accessLogFile: "", accessLogFormat: "x", connectTimeout: 3s,
                     protocolDetectionTimeout: 100ms, rootNamespace: root, somethingNew: {a: 1}}
                """
            )
        )
        let settings = mesh.snapshot.settings
        #expect(settings.outboundPolicy == .allowAny)
        #expect(settings.accessLogFile == "")
        #expect(settings.accessLogFormat == "x")
        #expect(settings.connectTimeout == .seconds(3))
        #expect(settings.protocolDetectionTimeout == .milliseconds(100))
        #expect(settings.rootNamespace == "root")
        #expect(mesh.errors() == [])
    }

    @Test("Identities, mutual TLS and providers are read")
    func security() throws {
        let mesh = try Mesh(
            Samples.settings(
                """
                {trustDomain: td.test, trustDomainAliases: [old.test], enableAutoMtls: false,
                     meshMTLS: {minProtocolVersion: TLSV1_3}, extensionProviders: [
                       {name: tracing, zipkin: {service: zipkin, port: 9411}},
                       {name: grpc, envoyExtAuthzGrpc: {service: a/authz.a.svc.cluster.local, port: 9000, failOpen: true,
                         statusOnError: "503", timeout: 1s, includeRequestBodyInCheck: {
                         maxRequestBytes: 10, allowPartialMessage: true, packAsBytes: true}}},
                       {name: http, envoyExtAuthzHttp: {service: authz.test, port: 80, pathPrefix: /check,
                         includeRequestHeadersInCheck: [X-A], headersToUpstreamOnAllow: [X-B],
                         headersToDownstreamOnDeny: [X-C]}}]}
                """
            )
        )
        #expect(mesh.errors() == [])
        #expect(mesh.warnings() == [])
        let settings = mesh.snapshot.settings
        #expect(settings.trustDomain == "td.test" && settings.trustDomainAliases == ["old.test"])
        #expect(!settings.automaticMutualTLS && settings.meshTLSVersionMin == .v1_3)
        #expect(settings.authorizationProviders.keys.sorted() == ["grpc", "http"])
        let grpc = try #require(settings.authorizationProviders["grpc"])
        #expect(grpc.wire == .grpc && grpc.service == "a/authz.a.svc.cluster.local" && grpc.port == Port(9000))
        #expect(grpc.failsOpen && grpc.statusOnError == 503 && grpc.timeout == .seconds(1))
        #expect(grpc.body == AuthorizationProvider.Body(bytesMax: 10, mayBePartial: true, isPackedAsBytes: true))
        let http = try #require(settings.authorizationProviders["http"])
        #expect(http.wire == .http(pathPrefix: "/check") && http.statusOnError == 403 && !http.failsOpen)
        #expect(http.headersToCheck == ["x-a"] && http.headersToUpstream == ["x-b"])
        #expect(http.headersToDownstream == ["x-c"])
        #expect(http.body == nil)
    }

    @Test("More of a body than the proxy holds is warned of")
    func longBody() throws {
        let provider = "{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, includeRequestBodyInCheck: "
        let most = try Mesh(Samples.settings("{extensionProviders: [\(provider){maxRequestBytes: 1048576}}}]}"))
        let more = try Mesh(Samples.settings("{extensionProviders: [\(provider){maxRequestBytes: 1048577}}}]}"))

        #expect(most.warnings() == [])
        #expect(more.warnings().count == 1 && more.errors() == [])
    }

    @Test(
        "Each mistake is named with its path",
        arguments: [
            ("trustDomain: 'a/b'", "trustDomain: `a/b`"), ("trustDomainAliases: ['']", "trustDomainAliases[0]: ``"),
            (
                "extensionProviders: [{name: a, envoyExtAuthzGrpc: {port: 1}}]",
                "extensionProviders[0].envoyExtAuthzGrpc.service: is needed"
            ),
            (
                "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: a.b}}]",
                "extensionProviders[0].envoyExtAuthzHttp.port: 0 is no port"
            ),
            (
                "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, statusOnError: x}}]",
                "extensionProviders[0].envoyExtAuthzHttp.statusOnError: `x`"
            ),
            (
                "extensionProviders: [{envoyExtAuthzHttp: {service: a.b, port: 1}}]",
                "extensionProviders[0].envoyExtAuthzHttp: needs a name"
            ),
            (
                "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, "
                    + "includeRequestBodyInCheck: {allowPartialMessage: true}}}]",
                "extensionProviders[0].envoyExtAuthzHttp.includeRequestBodyInCheck.maxRequestBytes: must be"
            ),
        ]
    )
    func mistakes(_ settings: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.settings("{\(settings)}"))
        #expect(mesh.errors().contains { $0.hasPrefix("data.mesh.\(expected)") }, "\(mesh.errors())")
    }

    @Test("Settings that cannot be read keep the last good ones; deleted settings are the defaults")
    func keepsLastGood() throws {
        var mesh = try Mesh(Samples.settings("{outboundTrafficPolicy: {mode: ALLOW_ANY}}"))

        try mesh.apply(Samples.settings("outboundTrafficPolicy: ["))
        #expect(mesh.snapshot.settings.outboundPolicy == .allowAny)
        #expect(mesh.errors().first?.hasPrefix("data.mesh: cannot be read") == true)

        #expect(mesh.delete(.configMap, "istio", namespace: "istio-system") == .full)
        #expect(mesh.snapshot.settings.outboundPolicy == .registryOnly)
        #expect(mesh.errors() == [])
    }

    @Test("The header that names a refusing policy can be switched off; another word than true or false is a mistake")
    func denialHeader() throws {
        #expect(try Mesh(Samples.settings("{}")).snapshot.settings.showsDenials)
        #expect(try !Mesh(Samples.settings("{showsDenials: false}")).snapshot.settings.showsDenials)
        let mesh = try Mesh(Samples.settings("{showsDenials: sometimes}"))
        #expect(mesh.errors() == ["data.mesh.showsDenials: is neither true nor false"])
    }

    @Test("DNS-bound egress is off unless it is set, and is read whole")
    func dnsBoundEgress() throws {
        #expect(try Mesh(Samples.settings("{}")).snapshot.settings.dnsBoundEgress.mode == .off)
        let text =
            "{lateen: {dnsBoundEgress: {mode: ENFORCE, grace: 1m30s, ipLiterals: [10.0.0.0/8, \"2001:db8::1\"]}}}"

        let mesh = try Mesh(Samples.settings(text))

        let binding = mesh.snapshot.settings.dnsBoundEgress
        #expect(mesh.errors() == [])
        #expect(binding.mode == .enforce && binding.grace == .seconds(90))
        #expect(binding.literals.map(\.description) == ["10.0.0.0/8", "2001:db8::1/128"])
    }

    @Test(
        "What is wrong with DNS-bound egress is named with its field, and the last good settings stay",
        arguments: [
            ("{mode: enforce}", ".mode: `enforce` is none of OFF, AUDIT, ENFORCE"), ("[]", ": is no object"),
            ("{grace: soon}", ".grace: `soon`"), ("{grace: 25h}", ".grace: `25h`"), ("{grace: 30}", ".grace: `30`"),
            ("{ipLiterals: [10.0.0.0/33]}", ".ipLiterals[0]: `10.0.0.0/33`"),
            ("{ipLiterals: 10.0.0.1}", ".ipLiterals: is no list"), ("{literals: []}", ".literals: is unknown"),
        ]
    )
    func dnsBoundEgressMistakes(_ setting: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.settings("{lateen: {dnsBoundEgress: \(setting)}}"))

        #expect(mesh.errors().count == 1)
        let error = try #require(mesh.errors().first)
        #expect(error.hasPrefix("data.mesh.lateen.dnsBoundEgress\(expected)"))
        #expect(mesh.snapshot.settings.dnsBoundEgress == DNSBoundEgress())
    }

    @Test("Other ConfigMaps are nobody's settings")
    func others() throws {
        var mesh = try Mesh()
        let changes = try mesh.apply(
            "{kind: ConfigMap, metadata: {name: istio, namespace: default}, data: {mesh: \"outboundTrafficPolicy: {mode: ALLOW_ANY}\"}}"
        )
        #expect(changes == [.nothing])
        #expect(mesh.snapshot.settings.outboundPolicy == .registryOnly)
    }
}
