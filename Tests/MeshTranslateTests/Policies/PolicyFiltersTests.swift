import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// What stock Envoy is told about policies.
@Suite struct PolicyFiltersTests {
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
    private typealias RBAC = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC
    private typealias ExtAuthz = Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz
    private typealias Tokens = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication

    /// The connection manager of a workload's HTTP port.
    private func manager(_ edit: (inout MeshSnapshot) throws -> Void) throws -> Manager {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.214.0.1", ports: ["http": 80], endpoints: ["10.213.0.1": [:]])
        try mesh.edit(edit)
        let resources = try mesh.resources(pod: "web-10.213.0.1", address: "10.213.0.1")
        let inbound = try #require(resources.listeners.first { $0.name == "virtualInbound" })
        let chain = try #require(inbound.filterChains.first { $0.filterChainMatch.destinationPort.value == 80 })
        return try Manager(unpackingAny: try #require(chain.filters.last).typedConfig)
    }

    private func policy(
        _ action: AuthorizationRules.Action,
        _ name: String,
        isDryRun: Bool = false
    ) -> AuthorizationRules {
        AuthorizationRules(
            source: ObjectReference(
                kind: "AuthorizationPolicy",
                id: ObjectID(namespace: "default", name: name)
            ),
            action: action,
            rules: [AuthorizationRules.Rule()],
            isDryRun: isDryRun
        )
    }

    private func authentication(
        _ issuers: RequestAuthenticationRules.Issuer...,
        isRequired: Bool = false
    )
        -> RequestAuthenticationRules
    {
        let id = ObjectID(namespace: "default", name: "tokens")
        return RequestAuthenticationRules(
            source: ObjectReference(kind: "RequestAuthentication", id: id),
            issuers: issuers,
            isRequired: isRequired
        )
    }

    @Test("Filters stand in order in front of the router, and paths are normalized")
    func order() throws {
        let port = try #require(Port(9000))
        let manager = try self.manager {
            $0.settings.authorizationProviders["opa"] =
                AuthorizationProvider(name: "opa", wire: .grpc, service: "opa.x", port: port)
            $0.authorizationRules = [
                self.policy(.allow, "a"), self.policy(.deny, "d"), self.policy(.audit, "u"),
                self.policy(.custom(provider: "opa"), "c"),
            ]
            var issuer = RequestAuthenticationRules.Issuer(issuer: "https://i.test")
            issuer.keys = "{\"keys\":[]}"
            $0.requestAuthentications = [self.authentication(issuer)]
        }
        #expect(
            manager.httpFilters.map(\.name) == [
                "envoy.filters.http.jwt_authn", "envoy.filters.http.rbac", "envoy.filters.http.ext_authz",
                "envoy.filters.http.rbac", "envoy.filters.http.rbac", "envoy.filters.http.rbac",
                "envoy.filters.http.cors", "envoy.filters.http.router",
            ]
        )
        let actions = try manager.httpFilters[3...5].map { try RBAC(unpackingAny: $0.typedConfig).rules.action }
        #expect(actions == [.log, .deny, .allow])
        #expect(manager.normalizePath.value)
    }

    @Test("Without policies a connection manager has what routes need, and its router")
    func nothing() throws {
        let manager = try self.manager { _ in }
        #expect(manager.httpFilters.map(\.name) == ["envoy.filters.http.cors", "envoy.filters.http.router"])
        #expect(!manager.hasNormalizePath)
    }

    @Test("Rules have Istio's names, dry runs are shadow rules under Istio's prefix")
    func names() throws {
        let manager = try self.manager {
            $0.authorizationRules = [self.policy(.deny, "real"), self.policy(.deny, "dry", isDryRun: true)]
        }
        let filter = try RBAC(unpackingAny: manager.httpFilters[0].typedConfig)
        #expect(Array(filter.rules.policies.keys) == ["ns[default]-policy[real]-rule[0]"])
        #expect(Array(filter.shadowRules.policies.keys) == ["ns[default]-policy[dry]-rule[0]"])
        #expect(filter.shadowRulesStatPrefix == "istio_dry_run_deny_")
        let policy = try #require(filter.rules.policies.values.first)
        #expect(policy.permissions == [.with { $0.any = true }])
        #expect(policy.principals == [.with { $0.any = true }])
    }

    @Test("A policy that is only a dry run enforces nothing, not even by being there")
    func dryRunOnly() throws {
        let manager = try self.manager { $0.authorizationRules = [self.policy(.allow, "dry", isDryRun: true)] }
        #expect(try !RBAC(unpackingAny: manager.httpFilters[0].typedConfig).hasRules)
    }

    @Test("A CUSTOM rule is noted by shadow rules, and the note opens the provider's filter")
    func custom() throws {
        let port = try #require(Port(9000))
        let manager = try self.manager {
            var provider = AuthorizationProvider(name: "opa", wire: .grpc, service: "authz/opa.x", port: port)
            provider.failsOpen = true
            provider.body = AuthorizationProvider.Body(bytesMax: 9, mayBePartial: true, isPackedAsBytes: true)
            $0.settings.authorizationProviders["opa"] = provider
            $0.authorizationRules = [self.policy(.custom(provider: "opa"), "c")]
        }
        let gate = try RBAC(unpackingAny: manager.httpFilters[0].typedConfig)
        #expect(!gate.hasRules)
        #expect(gate.shadowRulesStatPrefix == "istio_ext_authz_")
        #expect(Array(gate.shadowRules.policies.keys) == ["istio-ext-authz-opa-ns[default]-policy[c]-rule[0]"])
        let ask = try ExtAuthz(unpackingAny: manager.httpFilters[1].typedConfig)
        #expect(ask.grpcService.envoyGrpc.clusterName == "outbound|9000||opa.x")
        #expect(ask.grpcService.envoyGrpc.authority == "outbound_.9000_._.opa.x")
        #expect(ask.withRequestBody.maxRequestBytes == 9)
        #expect(ask.withRequestBody.allowPartialMessage && ask.withRequestBody.packAsBytes)
        #expect(ask.failureModeAllow)
        #expect(ask.statusOnError.code == .forbidden)
        #expect(ask.transportApiVersion == .v3)
        #expect(ask.filterEnabledMetadata.filter == "envoy.filters.http.rbac")
        #expect(ask.filterEnabledMetadata.path.map(\.key) == ["istio_ext_authz_shadow_effective_policy_id"])
        #expect(ask.filterEnabledMetadata.value.stringMatch.prefix == "istio-ext-authz-opa-ns[")
    }

    @Test("One issuer or none; several may each vouch; required ones must")
    func requirements() throws {
        let (one, two) = (
            RequestAuthenticationRules.Issuer(issuer: "one"), RequestAuthenticationRules.Issuer(issuer: "two")
        )
        func requirement(
            _ rules: RequestAuthenticationRules
        ) throws
            -> Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtRequirement
        {
            let manager = try self.manager { $0.requestAuthentications = [rules] }
            let filter = try Tokens(unpackingAny: manager.httpFilters[0].typedConfig)
            #expect(filter.rules.first?.match.prefix == "/")
            return try #require(filter.rules.first).requires
        }
        let single = try requirement(self.authentication(one)).requiresAny.requirements
        #expect(single.map(\.providerName) == ["origins-0", ""])
        #expect(single.last?.allowMissing == Google_Protobuf_Empty())
        let both = try requirement(self.authentication(one, two)).requiresAny.requirements
        #expect(both.map(\.providerName) == ["origins-0", "origins-1", ""])
        #expect(both.last?.requiresAll.requirements.count == 2)
        let required = try requirement(self.authentication(one, isRequired: true)).requiresAny.requirements
        #expect(required.map(\.providerName) == ["origins-0"])
    }

    @Test(
        "Keys are fetched through the cluster of their host; without an address the issuer's document says where",
        arguments: [
            ("https://keys.test/jwks", "https://keys.test/jwks", "outbound|443||keys.test"),
            ("http://Keys.shop.svc:8080/a?b", "http://Keys.shop.svc:8080/a?b", "outbound|8080||keys.shop.svc"),
            ("http://keys.test", "http://keys.test", "outbound|80||keys.test"),
            (nil, "https://i.test/.well-known/openid-configuration", "outbound|443||i.test"),
        ] as [(String?, String, String)]
    )
    func keys(_ given: String?, _ uri: String, _ cluster: String) throws {
        let manager = try self.manager {
            var issuer = RequestAuthenticationRules.Issuer(issuer: "https://i.test/")
            issuer.keysURI = given
            $0.requestAuthentications = [self.authentication(issuer)]
        }
        let filter = try Tokens(unpackingAny: manager.httpFilters[0].typedConfig)
        let keys = try #require(filter.providers["origins-0"]).remoteJwks
        #expect(keys.httpUri.uri == uri)
        #expect(keys.httpUri.cluster == cluster)
        #expect(keys.cacheDuration.seconds == 300)
    }
}
