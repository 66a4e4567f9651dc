import MeshModel
import Testing
import TrafficEngine

/// Every key that a rule may ask for.
@Suite struct PolicyKeyTests {
    /// Whether an ALLOW policy with just this rule lets a request through.
    private func allows(
        _ rule: AuthorizationRules.Rule,
        _ ask: (PolicyMesh) throws -> PolicyAnswer
    ) throws -> Bool {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, rule)
        return try ask(mesh).verdict == .allowed
    }

    // MARK: Sources

    @Test(
        "Principals: exact, by their beginning, by their end, any",
        arguments: [
            ("cluster.local/ns/shop/sa/client", true), ("cluster.local/ns/shop/sa/other", false),
            ("cluster.local/ns/shop/*", true), ("cluster.local/ns/other/*", false), ("*/sa/client", true),
            ("*/sa/clien", false), ("*", true), ("spiffe://cluster.local/ns/shop/sa/client", false),
        ]
    )
    func principals(_ value: String, _ matches: Bool) throws {
        #expect(try self.allows(from { $0.principals = [value] }) { try $0.ask() } == matches)
        #expect(try self.allows(from { $0.notPrincipals = [value] }) { try $0.ask() } == !matches)
        #expect(try self.allows(when("source.principal", value)) { try $0.ask() } == matches)
    }

    @Test("Nobody is a principal without a certificate")
    func anonymous() throws {
        #expect(try !self.allows(from { $0.principals = ["*"] }) { try $0.ask(peer: nil) })
        #expect(try self.allows(from { $0.notPrincipals = ["*"] }) { try $0.ask(peer: nil) })
        #expect(try !self.allows(from { $0.namespaces = ["*"] }) { try $0.ask(peer: nil) })
    }

    @Test("Aliases of the trust domain count as the same, other domains do not")
    func aliases() throws {
        var mesh = try PolicyMesh()
        mesh.edit {
            $0.settings.trustDomain = "new.example"
            $0.settings.trustDomainAliases = ["old.example"]
        }
        mesh.policy(.allow, from { $0.principals = ["old.example/ns/shop/sa/client"] })
        for domain in ["old.example", "new.example"] {
            #expect(try mesh.ask(peer: "spiffe://\(domain)/ns/shop/sa/client").verdict == .allowed)
        }
        #expect(try mesh.ask(peer: "spiffe://evil.example/ns/shop/sa/client").verdict == .denied)
        #expect(try mesh.ask(peer: "spiffe://old.example/ns/shop/sa/client/x").verdict == .denied)
    }

    @Test("`cluster.local` in a policy is the mesh's own trust domain, whatever that is called")
    func localDomain() throws {
        var mesh = try PolicyMesh()
        mesh.edit { $0.settings.trustDomain = "new.example" }
        mesh.policy(.allow, from { $0.principals = ["cluster.local/ns/shop/sa/client"] })
        #expect(try mesh.ask(peer: "spiffe://new.example/ns/shop/sa/client").verdict == .allowed)
    }

    @Test(
        "Namespaces come from the peer's identity, whole",
        arguments: [("shop", true), ("sho", false), ("sh*", true), ("*op", true), ("*", true), (".*", false)]
    )
    func namespaces(_ value: String, _ matches: Bool) throws {
        #expect(try self.allows(from { $0.namespaces = [value] }) { try $0.ask() } == matches)
        #expect(try self.allows(from { $0.notNamespaces = [value] }) { try $0.ask() } == !matches)
        #expect(try self.allows(when("source.namespace", value)) { try $0.ask() } == matches)
    }

    @Test("A namespace's name elsewhere in an identity is not the namespace")
    func misleadingIdentity() throws {
        let peer = "spiffe://ns/ns/bad/sa/shop"
        #expect(try !self.allows(from { $0.namespaces = ["shop"] }) { try $0.ask(peer: peer) })
    }

    @Test(
        "Service accounts are of the policy's namespace unless they name another",
        arguments: [
            ("client", true), ("shop/client", true), ("other/client", false), ("client2", false), ("clien", false),
        ]
    )
    func serviceAccounts(_ value: String, _ matches: Bool) throws {
        #expect(try self.allows(from { $0.serviceAccounts = [value] }) { try $0.ask() } == matches)
        #expect(try self.allows(from { $0.notServiceAccounts = [value] }) { try $0.ask() } == !matches)
    }

    @Test("Trust domains", arguments: [("cluster.local", true), ("local", false), ("*.local", true), ("other", false)])
    func trustDomains(_ value: String, _ matches: Bool) throws {
        #expect(try self.allows(from { $0.trustDomains = [value] }) { try $0.ask() } == matches)
    }

    @Test("The peer's address and the client's are different things")
    func blocks() throws {
        let peers = try #require(CIDR("10.213.0.0/16"))
        let clients = try #require(CIDR("203.0.113.7"))
        func ask(_ mesh: PolicyMesh) throws -> PolicyAnswer {
            try mesh.ask(source: "10.213.0.9", remote: "203.0.113.7")
        }
        #expect(try self.allows(from { $0.ipBlocks = [peers] }, ask))
        #expect(try !self.allows(from { $0.ipBlocks = [clients] }, ask))
        #expect(try self.allows(from { $0.remoteIPBlocks = [clients] }, ask))
        #expect(try !self.allows(from { $0.remoteIPBlocks = [peers] }, ask))
        #expect(try !self.allows(from { $0.notRemoteIPBlocks = [clients] }, ask))
        #expect(try self.allows(when("source.ip", "10.0.0.0/8"), ask))
        #expect(try self.allows(when("remote.ip", "203.0.113.0/24"), ask))
        #expect(try !self.allows(when("remote.ip", not: ["203.0.113.0/24"]), ask))
    }

    // MARK: Operations

    @Test(
        "Hosts are compared without regard to case",
        arguments: [
            ("web", "WEB", true), ("Web.Shop", "web.shop", true), ("*.shop", "a.SHOP", true), ("web*", "WEB:80", true),
            ("web", "web:80", false), ("*", "x", true),
        ]
    )
    func hosts(_ value: String, _ host: String, _ matches: Bool) throws {
        #expect(try self.allows(to { $0.hosts = [value] }) { try $0.ask(host: host) } == matches)
        #expect(try self.allows(to { $0.notHosts = [value] }) { try $0.ask(host: host) } == !matches)
    }

    @Test(
        "Paths: without the query, normalized, with templates",
        arguments: [
            ("/a", "/a", true), ("/a", "/a?b=c", true), ("/a", "/A", false), ("/a*", "/ab/c", true),
            ("*.html", "/x.html", true),
            ("/a", "/b/../a", true), ("/a", "/%61", true), ("/public*", "/public/../admin", false),
            ("/public*", "/public/%2e%2e/admin", false), ("/a/b", "/a\\b", true), ("/a", "/a#x", true),
            ("*", "/", true),
            ("/a/{*}/c", "/a/b/c", true), ("/a/{*}/c", "/a/b/b/c", false), ("/a/{*}", "/a/", false),
            ("/a/{**}", "/a/b/c", true), ("/a/{**}/z", "/a/b/c/z", true), ("/a/{**}/z", "/a/b/c", false),
            ("/a.b/{*}", "/aXb/c", false), ("/x{y/{*}", "/x{y/z", true),
        ]
    )
    func paths(_ value: String, _ path: String, _ matches: Bool) throws {
        #expect(try self.allows(to { $0.paths = [value] }) { try $0.ask("GET", path) } == matches)
        #expect(try self.allows(to { $0.notPaths = [value] }) { try $0.ask("GET", path) } == !matches)
    }

    @Test(
        "Methods",
        arguments: [("GET", true), ("get", false), ("G*", true), ("*T", true), ("POST", false), ("*", true)]
    )
    func methods(_ value: String, _ matches: Bool) throws {
        #expect(try self.allows(to { $0.methods = [value] }) { try $0.ask("GET") } == matches)
        #expect(try self.allows(to { $0.notMethods = [value] }) { try $0.ask("GET") } == !matches)
    }

    @Test("Ports are those that the client dialled")
    func ports() throws {
        let (http, other) = (try #require(Port(80)), try #require(Port(81)))
        #expect(try self.allows(to { $0.ports = [http] }) { try $0.ask() })
        #expect(try !self.allows(to { $0.ports = [other] }) { try $0.ask() })
        #expect(try !self.allows(to { $0.notPorts = [http] }) { try $0.ask() })
        #expect(try self.allows(when("destination.port", "80")) { try $0.ask() })
        #expect(try self.allows(when("destination.ip", "10.213.0.0/16")) { try $0.ask() })
        #expect(try !self.allows(when("destination.ip", "10.214.0.0/16")) { try $0.ask() })
    }

    @Test("All lists of a source and of an operation must hold, any entry of each")
    func combination() throws {
        let rule = to {
            $0.methods = ["GET", "HEAD"]
            $0.paths = ["/a"]
        }
        #expect(try self.allows(rule) { try $0.ask("HEAD", "/a") })
        #expect(try !self.allows(rule) { try $0.ask("HEAD", "/b") })
        #expect(try !self.allows(rule) { try $0.ask("PUT", "/a") })
    }

    // MARK: Conditions

    @Test("Headers: exact, by beginning and end, any; more than one condition must hold")
    func headers() throws {
        func ask(_ value: String) -> (PolicyMesh) throws -> PolicyAnswer {
            { try $0.ask(headers: ["X-Token": value]) }
        }
        #expect(try self.allows(when("request.headers[x-token]", "admin"), ask("admin")))
        #expect(try !self.allows(when("request.headers[x-token]", "admin"), ask("Admin")))
        #expect(try self.allows(when("request.headers[X-Token]", "ad*"), ask("admin")))
        #expect(try self.allows(when("request.headers[x-token]", "*"), ask("x")))
        #expect(try !self.allows(when("request.headers[x-other]", "*"), ask("x")))
        #expect(try !self.allows(when("request.headers[x-token]", not: ["x"]), ask("x")))
        #expect(try self.allows(when("request.headers[x-other]", not: ["x"]), ask("x")))
        var both = when("request.headers[x-token]", "admin")
        both.conditions += when("source.namespace", "shop").conditions
        #expect(try self.allows(both, ask("admin")))
        #expect(try !self.allows(both) { try $0.ask(headers: ["x-token": "admin"], peer: nil) })
    }

    @Test("The server name of TLS, on TCP too")
    func serverName() throws {
        var mesh = try PolicyMesh()
        mesh.policy(.allow, when("connection.sni", "*.example.com"))
        #expect(try mesh.connect(serverName: "a.example.com") == .allowed)
        #expect(try mesh.connect(serverName: "example.org") == .denied)
        #expect(try mesh.connect() == .denied)
    }

    // MARK: Tokens

    private static let claims = ClaimValue.object([
        "iss": .text("https://issuer.example/a"), "sub": .text("user/1"), "aud": .list([.text("web"), .text("api")]),
        "azp": .text("app"), "groups": .list([.text("dev"), .text("ops")]), "level": .number(3),
        "org": .object(["team": .object(["name": .text("blue")])]),
    ])

    @Test(
        "Request principals are issuer and subject, with slashes in both",
        arguments: [
            ("https://issuer.example/a/user/1", true), ("https://issuer.example/a/user/2", false), ("*", true),
            ("https://issuer.example/*", true), ("https://issuer.example/a/*", true),
            ("https://issuer.example/a/u*", true),
            ("https://other.example/*", false), ("*/user/1", true), ("*/1", true), ("*example/a/user/1", true),
            ("*2", false), ("https://issuer.example/a", false), ("user/1", false),
        ]
    )
    func requestPrincipals(_ value: String, _ matches: Bool) throws {
        let ask: (PolicyMesh) throws -> PolicyAnswer = { try $0.ask(claims: Self.claims) }
        #expect(try self.allows(from { $0.requestPrincipals = [value] }, ask) == matches)
        #expect(try self.allows(from { $0.notRequestPrincipals = [value] }, ask) == !matches)
        #expect(try self.allows(when("request.auth.principal", value), ask) == matches)
    }

    @Test(
        "Claims: text, elements of lists, nested",
        arguments: [
            ("request.auth.audiences", "api", true), ("request.auth.audiences", "other", false),
            ("request.auth.presenter", "app", true), ("request.auth.claims[groups]", "ops", true),
            ("request.auth.claims[groups]", "op*", true), ("request.auth.claims[groups]", "qa", false),
            ("request.auth.claims[org][team][name]", "blue", true), ("request.auth.claims[org][team]", "blue", false),
            ("request.auth.claims[level]", "3", false), ("request.auth.claims[missing]", "*", false),
            ("request.auth.claims[groups]", "*", true),
        ]
    )
    func claimKeys(_ key: String, _ value: String, _ matches: Bool) throws {
        let ask: (PolicyMesh) throws -> PolicyAnswer = { try $0.ask(claims: Self.claims) }
        #expect(try self.allows(when(key, value), ask) == matches)
        #expect(try !self.allows(when(key, value)) { try $0.ask() })
    }
}
