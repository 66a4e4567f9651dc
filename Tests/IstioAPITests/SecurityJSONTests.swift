import Foundation
import IstioAPI
import SwiftProtobuf
import Testing

@Suite struct SecurityJSONTests {
    @Test("Mutual TLS by port is read")
    func peerAuthentication() throws {
        let json = """
            {"selector": {"matchLabels": {"app": "finance"}}, "mtls": {"mode": "STRICT"},
             "portLevelMtls": {"8080": {"mode": "DISABLE"}}}
            """

        let policy = try IstioJSON.decode(Istio_Security_V1beta1_PeerAuthentication.self, from: Data(json.utf8))

        #expect(policy.selector.matchLabels == ["app": "finance"])
        #expect(policy.mtls.mode == .strict)
        #expect(policy.portLevelMtls == [8080: .with { $0.mode = .disable }])
    }

    @Test("An authorization policy survives JSON and binary round trips")
    func authorizationPolicy() throws {
        let json = """
            {"action": "CUSTOM", "provider": {"name": "authz"},
             "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/a/sa/b"], "notIpBlocks": ["10.0.0.0/8"]}}],
                        "to": [{"operation": {"methods": ["GET"], "paths": ["/a*"], "not_ports": ["8080"]}}],
                        "when": [{"key": "request.headers[x-a]", "notValues": ["b"]}]}]}
            """
        let policy = try IstioJSON.decode(Istio_Security_V1beta1_AuthorizationPolicy.self, from: Data(json.utf8))

        let throughJSON = try Istio_Security_V1beta1_AuthorizationPolicy(jsonString: policy.jsonString())
        let throughBytes = try Istio_Security_V1beta1_AuthorizationPolicy(serializedBytes: policy.serializedData())

        #expect(throughJSON == policy && throughBytes == policy)
        #expect(policy.provider.name == "authz")
        #expect(policy.rules.first?.to.first?.operation.notPorts == ["8080"])
    }

    @Test("Tokens are read, the time for fetching keys as people write it")
    func requestAuthentication() throws {
        let json = """
            {"jwtRules": [{"issuer": "https://issuer.test", "jwks_uri": "https://issuer.test/keys", "timeout": "1m",
                           "fromHeaders": [{"name": "x-token", "prefix": "Bearer "}], "forwardOriginalToken": true}]}
            """

        let rules = try IstioJSON.decode(Istio_Security_V1beta1_RequestAuthentication.self, from: Data(json.utf8))

        let rule = try #require(rules.jwtRules.first)
        #expect(rule.jwksUri == "https://issuer.test/keys")
        #expect(rule.timeout == .init(seconds: 60))
        #expect(rule.fromHeaders.first?.prefix == "Bearer ")
        #expect(rule.forwardOriginalToken)
    }

    @Test("The old spelling of mutual TLS is read")
    func legacyPolicy() throws {
        let json =
            #"{"targets": [{"name": "a", "ports": [{"number": 80}]}], "peers": [{"mtls": {"mode": "PERMISSIVE"}}]}"#

        let policy = try IstioJSON.decode(Istio_Authentication_V1alpha1_Policy.self, from: Data(json.utf8))

        #expect(policy.targets.first?.ports.first?.number == 80)
        #expect(policy.peers.first?.mtls.mode == .permissive)
    }

    @Test("Providers and limits of TLS are read from the mesh's settings")
    func meshSettings() throws {
        let json = """
            {"meshMTLS": {"minProtocolVersion": "TLSV1_3"}, "extensionProviders": [
              {"name": "tracing", "zipkin": {"service": "zipkin", "port": 9411}},
              {"name": "authz", "envoyExtAuthzHttp": {"service": "authz.a.svc.cluster.local", "port": 8000,
               "timeout": "1.5s", "includeRequestHeadersInCheck": ["x-a"]}}]}
            """

        let settings = try IstioJSON.decode(
            Istio_Mesh_V1alpha1_MeshConfig.self,
            from: Data(json.utf8),
            ignoringUnknownFields: true
        )

        #expect(settings.meshMTls.minProtocolVersion == .tlsv13)
        #expect(settings.extensionProviders.map(\.name) == ["tracing", "authz"])
        #expect(settings.extensionProviders.last?.envoyExtAuthzHTTP.timeout == .init(seconds: 1, nanos: 500_000_000))
        #expect(settings.extensionProviders.first?.provider == nil)
    }
}
