import MeshConfig
import MeshModel
import Testing

@Suite struct AuthorizationPolicyTests {
    private func rules(_ spec: String) throws -> AuthorizationRules? {
        let mesh = try Mesh(Samples.security("AuthorizationPolicy", spec))
        #expect(mesh.errors() == [])
        return mesh.snapshot.authorizationRules.first
    }

    @Test("A whole policy is read")
    func whole() throws {
        let policy = try #require(
            try self.rules(
                """
                {selector: {matchLabels: {app: a}}, action: DENY, rules: [{
                   from: [{source: {principals: ["*"], notPrincipals: [td/ns/a/sa/b], requestPrincipals: ["iss/*"],
                                    notRequestPrincipals: ["*/x"], namespaces: [n], notNamespaces: ["m*"],
                                    ipBlocks: [10.0.0.1, 10.1.0.0/16], notIpBlocks: ["fd00::/8"],
                                    remoteIpBlocks: [1.1.1.1], notRemoteIpBlocks: [2.2.2.2]}},
                          {source: {serviceAccounts: [a, other/b], notServiceAccounts: [c]}}],
                   to: [{operation: {hosts: ["*.A.test"], notHosts: [b.test], ports: ["80"], notPorts: ["81"],
                                     methods: [GET], notMethods: [PUT], paths: ["/a*", "/x/{*}/y/{**}"],
                                     notPaths: ["*.html"]}}],
                   when: [{key: "request.headers[x-a]", values: ["v*"]}, {key: source.ip, notValues: [10.0.0.0/8]},
                          {key: "request.auth.claims[a][b]", values: [c]}, {key: destination.port, values: ["80"]},
                          {key: connection.sni, values: [a.test]}, {key: "request.headers[:authority]", values: [a]}, {key: source.serviceAccount, values: [a/b]}]}]}
                """
            )
        )
        #expect(policy.selector == ["app": "a"] && policy.action == .deny && !policy.isDryRun)
        let rule = try #require(policy.rules.first)
        let source = try #require(rule.sources.first)
        #expect(source.principals == ["*"] && source.notPrincipals == ["td/ns/a/sa/b"])
        #expect(source.requestPrincipals == ["iss/*"] && source.notRequestPrincipals == ["*/x"])
        #expect(source.namespaces == ["n"] && source.notNamespaces == ["m*"])
        #expect(source.ipBlocks.map(\.description) == ["10.0.0.1/32", "10.1.0.0/16"])
        #expect(source.notIPBlocks.map(\.description) == ["fd00::/8"])
        #expect(source.remoteIPBlocks.count == 1 && source.notRemoteIPBlocks.count == 1)
        #expect(rule.sources[1].serviceAccounts == ["default/a", "other/b"])
        #expect(rule.sources[1].notServiceAccounts == ["default/c"])
        let operation = try #require(rule.operations.first)
        #expect(operation.hosts == ["*.a.test"] && operation.notHosts == ["b.test"])
        #expect(operation.ports == [Port(80)] && operation.notPorts == [Port(81)])
        #expect(operation.methods == ["GET"] && operation.notMethods == ["PUT"])
        #expect(operation.paths == ["/a*", "/x/{*}/y/{**}"] && operation.notPaths == ["*.html"])
        #expect(rule.conditions.count == 7)
        #expect(rule.conditions[1] == .init(key: "source.ip", notValues: ["10.0.0.0/8"]))
    }

    @Test("No rules and one empty rule are different things")
    func empty() throws {
        #expect(try self.rules("{}")?.rules == [])
        #expect(try self.rules("{rules: [{}]}")?.rules == [AuthorizationRules.Rule()])
        #expect(try self.rules("{}")?.action == .allow)
        #expect(try self.rules("{action: AUDIT}")?.action == .audit)
    }

    @Test("Trying out is read from the annotation")
    func dryRun() throws {
        let mesh = try Mesh(
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: s, namespace: default, annotations: {istio.io/dry-run: "true"}}
            spec: {action: DENY}
            """
        )
        #expect(mesh.snapshot.authorizationRules.first?.isDryRun == true)
    }

    @Test("A provider that the mesh does not have is warned about")
    func provider() throws {
        let policy = Samples.security("AuthorizationPolicy", "{action: CUSTOM, provider: {name: opa}, rules: [{}]}")
        let alone = try Mesh(policy)
        #expect(alone.snapshot.authorizationRules.first?.action == .custom(provider: "opa"))
        #expect(
            alone.warnings().first?.hasPrefix("spec.provider.name: the mesh's extensionProviders have no `opa`") == true
        )
        let known = try Mesh(
            policy + "\n---\n"
                + Samples.settings(
                    "{extensionProviders: [{name: opa, envoyExtAuthzGrpc: {service: opa.a.svc.cluster.local, port: 9000}}]}"
                )
        )
        #expect(known.snapshot.diagnoses == [])
    }

    @Test(
        "Each mistake is named with its path, and the policy closes what it guards",
        arguments: [
            ("{action: CUSTOM, rules: [{}]}", "spec.provider.name: is needed"),
            ("{provider: {name: x}}", "spec.provider: needs action CUSTOM"),
            ("{rules: [{from: [{}]}]}", "spec.rules[0].from[0].source: is empty"),
            ("{rules: [{to: [{operation: {}}]}]}", "spec.rules[0].to[0].operation: is empty"),
            (
                "{rules: [{from: [{source: {principals: ['spiffe://a/ns/b/sa/c']}}]}]}",
                "spec.rules[0].from[0].source.principals[0]: stands without `spiffe://`"
            ),
            (
                "{rules: [{from: [{source: {namespaces: ['a*b']}}]}]}",
                "spec.rules[0].from[0].source.namespaces[0]: `a*b`"
            ),
            ("{rules: [{from: [{source: {ipBlocks: [x]}}]}]}", "spec.rules[0].from[0].source.ipBlocks[0]: `x`"),
            (
                "{rules: [{from: [{source: {serviceAccounts: ['a/b/c']}}]}]}",
                "spec.rules[0].from[0].source.serviceAccounts[0]: `a/b/c`"
            ),
            (
                "{rules: [{from: [{source: {serviceAccounts: [a], principals: [b]}}]}]}",
                "spec.rules[0].from[0].source.serviceAccounts: not together"
            ),
            ("{rules: [{to: [{operation: {ports: [http]}}]}]}", "spec.rules[0].to[0].operation.ports[0]: `http`"),
            ("{rules: [{to: [{operation: {hosts: ['']}}]}]}", "spec.rules[0].to[0].operation.hosts[0]: is empty"),
            (
                "{rules: [{to: [{operation: {paths: ['/a/{**}/{*}']}}]}]}",
                "spec.rules[0].to[0].operation.paths[0]: `/a/{**}/{*}`"
            ),
            (
                "{rules: [{to: [{operation: {paths: ['/a/{x}']}}]}]}",
                "spec.rules[0].to[0].operation.paths[0]: `/a/{x}`: only"
            ),
            (
                "{rules: [{when: [{key: source.port, values: [a]}]}]}",
                "spec.rules[0].when[0].key: `source.port` is unknown"
            ),
            ("{rules: [{when: [{key: source.ip}]}]}", "spec.rules[0].when[0]: needs values or notValues"),
            ("{rules: [{when: [{key: source.ip, values: [x]}]}]}", "spec.rules[0].when[0].values[0]: `x` is neither"),
            (
                "{rules: [{when: [{key: destination.port, values: [x]}]}]}",
                "spec.rules[0].when[0].values[0]: `x` is no port"
            ),
            ("{action: SOMETIMES}", "spec: cannot be read"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let whole = "{selector: {matchLabels: {a: b}}, \(spec.dropFirst())"
        let mesh = try Mesh(Samples.security("AuthorizationPolicy", whole))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
        let rules = try #require(mesh.snapshot.authorizationRules.first)
        #expect(rules.action == .allow && rules.rules == [] && rules.selector == ["a": "b"])
        #expect(mesh.warnings().contains { $0.contains("nothing is allowed to its workloads") })
    }

    @Test("A policy that worked stays in force through a mistake")
    func keepsLastGood() throws {
        var mesh = try Mesh(Samples.security("AuthorizationPolicy", "{action: DENY, rules: [{}]}"))
        try mesh.apply(Samples.security("AuthorizationPolicy", "{action: DENY, rules: [{from: [{}]}]}"))
        #expect(mesh.snapshot.authorizationRules.first?.action == .deny)
        #expect(mesh.snapshot.authorizationRules.first?.rules == [AuthorizationRules.Rule()])
        #expect(mesh.errors().count == 1)
        // A second mistake finds the same good state.
        try mesh.apply(Samples.security("AuthorizationPolicy", "{action: DENY, rules: [{to: [{}]}]}"))
        #expect(mesh.snapshot.authorizationRules.first?.rules == [AuthorizationRules.Rule()])
    }

    @Test("A condition that is not known here closes, too")
    func unknownField() throws {
        let mesh = try Mesh(
            Samples.security("AuthorizationPolicy", "{rules: [{from: [{source: {namespaces: [a], moons: [b]}}]}]}")
        )
        #expect(mesh.errors().first?.contains("moons") == true)
        #expect(mesh.snapshot.authorizationRules.map(\.rules) == [[]])
    }

    @Test("A policy for gateways of another API is not applied to everybody")
    func targets() throws {
        let mesh = try Mesh(
            Samples.security(
                "AuthorizationPolicy",
                "{targetRefs: [{kind: Gateway, name: w}], action: DENY, rules: [{}]}"
            )
        )
        #expect(mesh.errors().first?.hasPrefix("spec.targetRefs: is not supported") == true)
        #expect(mesh.snapshot.authorizationRules == [])
    }

    @Test("What can never match is warned about")
    func warnings() throws {
        let mesh = try Mesh(
            Samples.security("AuthorizationPolicy", "{rules: [{to: [{operation: {methods: [get], paths: [a]}}]}]}")
        )
        #expect(
            mesh.warnings() == [
                "spec.rules[0].to[0].operation.methods[0]: `get` is not `GET`",
                "spec.rules[0].to[0].operation.paths[0]: `a` matches no path: they begin with `/`",
            ]
        )
        #expect(mesh.snapshot.authorizationRules.first?.rules.count == 1)
    }
}
