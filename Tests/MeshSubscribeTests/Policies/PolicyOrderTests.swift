import MeshModel
import Testing
import TrafficEngine

/// Which policies apply, and which of them decides.
@Suite struct PolicyOrderTests {
    @Test("Without policies everything is allowed, and no filter is there")
    func withoutPolicies() throws {
        let mesh = try PolicyMesh()
        #expect(try mesh.http().isEmpty)
        #expect(try mesh.tcp().isEmpty)
        #expect(try mesh.ask().verdict == .allowed)
    }

    @Test("With one ALLOW policy, what does not match is denied, and no rule is named")
    func allowList() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, name: "gets", to { $0.methods = ["GET"] })

        let got = try mesh.ask("GET")
        let posted = try mesh.ask("POST")

        #expect(got.verdict == .allowed)
        #expect(got.rule == "shop/gets rule 0")
        #expect(posted.verdict == .denied)
        #expect(posted.rule == nil)
        #expect(posted.matched == [])
    }

    @Test("An ALLOW policy without rules denies all; an empty rule matches all")
    func emptyPolicies() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, name: "nothing")
        #expect(try mesh.ask().verdict == .denied)
        #expect(try mesh.connect() == .denied)

        mesh.policy(.allow, name: "all", AuthorizationRules.Rule())
        #expect(try mesh.ask().verdict == .allowed)
        #expect(try mesh.connect() == .allowed)
    }

    @Test("A DENY policy without rules denies nothing")
    func emptyDeny() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.deny)
        #expect(try mesh.ask().verdict == .allowed)
    }

    @Test("DENY wins over ALLOW, and is named")
    func denyFirst() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, name: "all", AuthorizationRules.Rule())
        mesh.policy(.deny, name: "no-admin", to { $0.paths = ["/admin*"] })

        #expect(try mesh.ask("GET", "/admin/x").rule == "shop/no-admin rule 0")
        #expect(try mesh.ask("GET", "/admin/x").verdict == .denied)
        #expect(try mesh.ask("GET", "/").verdict == .allowed)
    }

    @Test("AUDIT decides nothing")
    func audit() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.audit, AuthorizationRules.Rule())
        #expect(try mesh.ask().verdict == .allowed)
        #expect(try mesh.ask().matched == ["shop/policy rule 0"])
    }

    @Test("A dry run is evaluated and enforces nothing")
    func dryRun() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.deny, isDryRun: true, AuthorizationRules.Rule())
        mesh.policy(.allow, name: "nobody", isDryRun: true)
        let answer = try mesh.ask()
        #expect(answer.verdict == .allowed)
        #expect(answer.matched == ["shop/policy rule 0"])
        #expect(try mesh.connect() == .allowed)
    }

    @Test(
        "Policies of the root namespace are for all, others for their namespace; selectors narrow",
        arguments: [
            ("istio-system", [:], true), ("shop", [:], true), ("other", [:], false),
            ("shop", ["app": "web"], true), ("shop", ["app": "other"], false), ("istio-system", ["app": "web"], true),
            ("istio-system", ["app": "other"], false), ("shop", ["app": "web", "version": "v1"], false),
        ] as [(String, [String: String], Bool)]
    )
    func selection(_ namespace: String, _ selector: [String: String], _ applies: Bool) throws {
        var mesh = try PolicyMesh()
        mesh.policy(.deny, namespace: namespace, selector: selector, AuthorizationRules.Rule())
        #expect(try mesh.ask().verdict == (applies ? .denied : .allowed))
        #expect(try mesh.connect() == (applies ? .denied : .allowed))
    }

    @Test("CUSTOM asks its provider where its rules match, before DENY")
    func custom() throws {
        var mesh = try PolicyMesh()
        let port = try #require(Port(9000))
        mesh.edit {
            $0.settings.authorizationProviders["opa"] =
                AuthorizationProvider(name: "opa", wire: .grpc, service: "authz/opa.authz.svc", port: port)
        }
        mesh.policy(.custom(provider: "opa"), name: "ask", to { $0.paths = ["/asked*"] })
        mesh.policy(.deny, name: "no", AuthorizationRules.Rule())

        let asked = try mesh.ask("GET", "/asked/1")
        #expect(asked.verdict == .asks(provider: "opa"))
        #expect(asked.rule == "shop/ask")
        #expect(try mesh.ask("GET", "/else").rule == "shop/no rule 0")
        guard case .external(let policy)? = try mesh.http().first else {
            Issue.record("the provider is not asked first")
            return
        }
        #expect(policy.clusterName == "outbound|9000||opa.authz.svc")
        #expect(policy.provider.timeout == .milliseconds(600))
        #expect(policy.provider.failsOpen == false)
        // On TCP the path is not known, so it is asked about every connection.
        #expect(try mesh.connect() == .asks(provider: "opa"))
    }

    @Test("Two providers are asked about their own rules only")
    func twoProviders() throws {
        var mesh = try PolicyMesh()
        let port = try #require(Port(9000))
        for name in ["a", "a-b"] {
            mesh.edit {
                $0.settings.authorizationProviders[name] =
                    AuthorizationProvider(
                        name: name,
                        wire: .http(pathPrefix: "/check"),
                        service: "\(name).x",
                        port: port
                    )
            }
            mesh.policy(.custom(provider: name), name: "of-\(name)", to { $0.paths = ["/\(name)"] })
        }
        #expect(try mesh.ask("GET", "/a").verdict == .asks(provider: "a"))
        #expect(try mesh.ask("GET", "/a-b").verdict == .asks(provider: "a-b"))
        #expect(try mesh.ask("GET", "/c").verdict == .allowed)
        // A service over HTTP knows requests only.
        #expect(try mesh.connect() == .denied)
    }

    @Test("A provider that nobody configured denies what it should be asked about")
    func missingProvider() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.custom(provider: "gone"), to { $0.paths = ["/asked*"] })
        #expect(try mesh.ask("GET", "/asked").verdict == .denied)
        #expect(try mesh.ask("GET", "/").verdict == .allowed)
    }

    @Test("The mesh may keep the names of policies from clients")
    func quiet() throws {
        for showsDenials in [true, false] {
            var mesh = try PolicyMesh()
            mesh.edit { $0.settings.showsDenials = showsDenials }
            mesh.policy(.deny, AuthorizationRules.Rule())
            guard case .rules(let policy)? = try mesh.http().first else {
                Issue.record("no rules")
                return
            }
            #expect(policy.showsDenials == showsDenials)
        }
    }

    @Test("On TCP, ALLOW rules about requests do not match, and DENY rules match without those conditions")
    func requestsOnTCP() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, to { $0.methods = ["GET"] })
        #expect(try mesh.connect() == .denied)

        mesh = try PolicyMesh()
        mesh.policy(.deny, to { $0.methods = ["GET"] })
        #expect(try mesh.connect() == .denied)

        mesh = try PolicyMesh()
        var rule = to { $0.methods = ["GET"] }
        rule.sources = from { $0.namespaces = ["bad"] }.sources
        mesh.policy(.deny, rule)
        #expect(try mesh.connect() == .allowed)
        #expect(try mesh.connect(peer: "spiffe://cluster.local/ns/bad/sa/x") == .denied)
    }

    @Test("Of an ALLOW rule, operations that can be asked on TCP stay")
    func partOfARule() throws {
        var mesh = try PolicyMesh()
        let port = try #require(Port(90))
        var rule = to { $0.ports = [port] }
        rule.operations += to { $0.paths = ["/x"] }.operations
        mesh.policy(.allow, rule)
        #expect(try mesh.connect() == .allowed)
    }

    @Test("Rules name where they come from for people and tools")
    func listing() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.deny, name: "d", AuthorizationRules.Rule(), to { $0.methods = ["PUT"] })
        mesh.policy(.allow, name: "a", isDryRun: true, AuthorizationRules.Rule())
        var found: [(name: String, action: RulePolicy.Action, isDryRun: Bool)] = []
        for case .rules(let rules) in try mesh.http() {
            found += rules.entries.map { (PolicyAnswer.name($0), rules.action, rules.isShadow) }
        }
        #expect(found.map(\.name) == ["shop/d rule 0", "shop/d rule 1", "shop/a rule 0"])
        #expect(found.map(\.action) == [.deny, .deny, .allow])
        #expect(found.map(\.isDryRun) == [false, false, true])
    }
}
