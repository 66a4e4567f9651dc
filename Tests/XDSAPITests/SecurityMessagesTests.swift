import Foundation
import GRPCCore
import SwiftProtobuf
import Testing
import XDSAPI

/// Messages about TLS, secrets, authorization and tokens: numbers, JSON as stock Envoy writes it, services.
@Suite struct SecurityMessagesTests {
    @Test("A policy of the RBAC filter keeps its field numbers")
    func rbacNumbers() throws {
        let permission = Envoy_Config_Rbac_V3_Permission.with { $0.destinationPort = 8080 }
        let address = Envoy_Config_Rbac_V3_Principal.with { $0.directRemoteIp.addressPrefix = "::1" }
        let rules = Envoy_Config_Rbac_V3_RBAC.with { $0.action = .log }
        let filter = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.with {
            $0.rulesStatPrefix = "r"
            $0.shadowRulesStatPrefix = "s"
        }

        // 6: 8080; 10: {1: "::1"}; 1: LOG; 3: "s", 6: "r"
        #expect(try Array(permission.serializedData()) == [0x30, 0x90, 0x3f])
        #expect(try Array(address.serializedData()) == [0x52, 5, 0x0a, 3, 0x3a, 0x3a, 0x31])
        #expect(try Array(rules.serializedData()) == [0x08, 2])
        #expect(try Array(filter.serializedData()) == [0x1a, 1, 0x73, 0x32, 1, 0x72])
    }

    @Test("A token provider and the context of a connection keep their field numbers")
    func otherNumbers() throws {
        let provider = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtProvider.with {
            $0.issuer = "i"
            $0.fromCookies = ["c"]
            $0.requireExpiration = true
        }
        let context = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.with {
            $0.requireClientCertificate = true
            $0.disableStatelessSessionResumption = true
        }

        // 1: "i", 13: "c", 20: true; 2: wrapper of true, 7: true
        #expect(try Array(provider.serializedData()) == [0x0a, 1, 0x69, 0x6a, 1, 0x63, 0xa0, 0x01, 1])
        #expect(try Array(context.serializedData()) == [0x12, 2, 0x08, 1, 0x38, 1])
    }

    /// Filters as they stand in a configuration for stock Envoy.
    static let filters = [
        """
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
         "rules": {"action": "DENY", "policies": {"p": {
           "permissions": [{"and_rules": {"rules": [
             {"url_path": {"path": {"prefix": "/admin"}}},
             {"not_rule": {"header": {"name": ":method", "string_match": {"exact": "GET"}}}}]}}],
           "principals": [{"or_ids": {"ids": [
             {"authenticated": {"principal_name": {"exact": "spiffe://cluster.local/ns/a/sa/b"}}},
             {"remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}},
             {"filter_state": {"key": "io.istio.peer_principal", "string_match": {"suffix": "/sa/b"}}}]}}]}}},
         "shadow_rules_stat_prefix": "istio_dry_run_allow_"}
        """,
        """
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
         "providers": {"origins-0": {
           "issuer": "https://issuer.test", "local_jwks": {"inline_string": "{}"}, "forward": true,
           "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
           "payload_in_metadata": "payload", "claim_to_headers": [{"header_name": "x-sub", "claim_name": "sub"}]}},
         "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
           {"provider_name": "origins-0"}, {"allow_missing": {}}]}}}]}
        """,
        """
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
         "grpc_service": {"envoy_grpc": {"cluster_name": "outbound|9000||authz.default.svc.cluster.local"},
           "timeout": "0.6s"}, "transport_api_version": "V3", "status_on_error": {"code": "Forbidden"},
         "filter_enabled_metadata": {"filter": "envoy.filters.http.rbac", "path": [{"key": "shadow_effective_policy_id"}],
           "value": {"string_match": {"prefix": "istio-ext-authz"}}}}
        """,
        """
        {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
         "sni": "edition.cnn.com", "auto_host_sni": true, "common_tls_context": {
           "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"}, "alpn_protocols": ["istio", "h2"],
           "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": {"ads": {}}}],
           "combined_validation_context": {
             "default_validation_context": {"match_typed_subject_alt_names": [
               {"san_type": "URI", "matcher": {"exact": "spiffe://cluster.local/ns/a/sa/b"}}]},
             "validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": {"ads": {}}}}}}
        """,
    ]

    @Test("What stock Envoy is configured with survives JSON and binary round trips", arguments: Self.filters)
    func roundTrips(_ json: String) throws {
        XDSTypes.register()
        let any = try Google_Protobuf_Any(jsonString: json)
        let type = try #require(XDSTypes.all.first { any.isA($0) })

        let message = try type.init(unpackingAny: any)
        let throughBytes = try type.init(serializedBytes: message.serializedBytes() as [UInt8])
        let throughJSON = try type.init(jsonString: message.jsonString())

        #expect(message.isEqualTo(message: throughBytes))
        #expect(message.isEqualTo(message: throughJSON))
        #expect(try !(message.serializedBytes() as [UInt8]).isEmpty)
    }

    @Test("The services that a proxy asks for secrets and decisions have the protocol's names")
    func services() {
        let secrets = Envoy_Service_Secret_V3_SecretDiscoveryService.Method.StreamSecrets.descriptor
        let check = Envoy_Service_Auth_V3_Authorization.Method.Check.descriptor

        #expect(secrets.fullyQualifiedMethod == "envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets")
        #expect(check.fullyQualifiedMethod == "envoy.service.auth.v3.Authorization/Check")
        #expect(TypeURL.secretsConfigDump == "type.googleapis.com/envoy.admin.v3.SecretsConfigDump")
    }
}
