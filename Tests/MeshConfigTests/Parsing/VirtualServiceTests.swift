import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct VirtualServiceTests {
    private func rules(_ spec: String) throws -> RouteRules {
        let mesh = try Mesh(Samples.routes(spec))
        return try #require(mesh.snapshot.routeRules.first, "\(mesh.errors())")
    }

    @Test("Short names are services of the object's namespace; the mesh is the default gateway")
    func shortNames() throws {
        let rules = try self.rules(
            "{hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v3}}]}]}"
        )
        #expect(rules.hosts.map(\.text) == ["reviews.default.svc.cluster.local"])
        #expect(rules.gateways == ["mesh"])
        let host = try #require(HostName("reviews.default.svc.cluster.local"))
        #expect(rules.http.map(\.action) == [.forward([RouteDestination(host: host, subset: "v3")])])
    }

    @Test("A name and a namespace mean the service there, if there is one and no host of that very name")
    func nameAndNamespace() throws {
        let route = Samples.routes(
            "{hosts: [ratings.default], http: [{route: [{destination: {host: ratings.default.svc}}]}]}"
        )
        let alone = try Mesh(route)
        #expect(alone.snapshot.routeRules.first?.hosts.map(\.text) == ["ratings.default"])
        let withService = try Mesh(Samples.ratings + "\n---\n" + route)
        #expect(withService.snapshot.routeRules.first?.hosts.map(\.text) == ["ratings.default.svc.cluster.local"])
        #expect(withService.warnings() == [])
        let entry = Samples.entry("{hosts: [ratings.default], ports: [{number: 80, name: http}]}")
        let withEntry = try Mesh([Samples.ratings, route, entry].joined(separator: "\n---\n"))
        #expect(withEntry.snapshot.routeRules.first?.hosts.map(\.text) == ["ratings.default"])
    }

    @Test("A rule's conditions, changes, times and retries are read")
    func wholeRule() throws {
        let rules = try self.rules(
            """
            {hosts: [a.test], gateways: [mesh, gw, other/gw], http: [{name: n,
              match: [{uri: {prefix: /api}, headers: {X-User: {exact: jason}, x-any: {}}, method: {regex: "GET|POST"},
                       queryParams: {q: {exact: "1"}}, withoutHeaders: {x-no: {}}, port: 80, ignoreUriCase: true,
                       sourceLabels: {app: web}, gateways: [gw]}],
              route: [{destination: {host: b.test, port: {number: 8080}}, weight: 90, headers: {request: {set: {a: b}}}},
                      {destination: {host: c.test}, weight: 10}],
              rewrite: {uri: /v2, authority: d.test}, timeout: 1.5s,
              retries: {attempts: 3, perTryTimeout: 250ms, retryOn: "5xx,503", backoff: 10ms},
              headers: {response: {remove: [server]}}}]}
            """
        )
        let rule = try #require(rules.http.first)
        let match = try #require(rule.matches.first)
        #expect(rules.gateways == ["mesh", "default/gw", "other/gw"])
        #expect(match.path == .prefix("/api"))
        #expect(match.isPathCaseInsensitive)
        #expect(match.headers["x-user"] == .some(.exact("jason")))
        #expect(match.headers["x-any"] == .some(nil))
        #expect(match.headersAbsent.keys.contains("x-no"))
        #expect(match.method == .regex("GET|POST"))
        #expect(match.port?.number == 80)
        #expect(match.gateways == ["default/gw"])
        guard case .forward(let destinations) = rule.action else {
            Issue.record("no destinations")
            return
        }
        #expect(destinations.map(\.weight) == [90, 10])
        #expect(destinations[0].port?.number == 8080)
        #expect(destinations[0].requestHeaders.set == ["a": "b"])
        #expect(rule.rewritePath == "/v2")
        #expect(rule.rewriteAuthority == "d.test")
        #expect(rule.timeout == .milliseconds(1500))
        #expect(rule.retries?.attempts == 3)
        #expect(rule.retries?.perTryTimeout == .milliseconds(250))
        #expect(rule.retries?.retryOn == ["5xx", "retriable-status-codes"])
        #expect(rule.retries?.statusCodes == [503])
        #expect(rule.retries?.backOffBase == .milliseconds(10))
        #expect(rule.responseHeaders.remove == ["server"])
    }

    @Test("A timeout of zero is no limit, as is none")
    func zeroTimeout() throws {
        let rules = try self.rules("{hosts: [a.test], http: [{timeout: 0s, route: [{destination: {host: b.test}}]}]}")
        #expect(rules.http.first?.timeout == nil)
    }

    @Test("Redirects and direct responses are read")
    func redirect() throws {
        let rules = try self.rules(
            """
            {hosts: [a.test], http: [
              {match: [{uri: {exact: /old}}], redirect: {uri: /new, authority: b.test, redirectCode: 302, port: 8443}},
              {directResponse: {status: 503, body: {string: closed}}}]}
            """
        )
        #expect(
            rules.http.map(\.action) == [
                .redirect(.init(path: "/new", authority: "b.test", scheme: nil, port: 8443, code: 302)),
                .respond(status: 503, body: "closed"),
            ]
        )
    }

    @Test("Rules for connections are read, under either spelling of a field")
    func connections() throws {
        let rules = try self.rules(
            """
            {hosts: ["*.a.test"],
             tls: [{match: [{sni_hosts: [x.a.test], port: 443}], route: [{destination: {host: b.test}}]}],
             tcp: [{match: [{destinationSubnets: [10.0.0.0/8], port: 3306}], route: [{destination: {host: c.test}}]}]}
            """
        )
        #expect(rules.tls.first?.matches.first?.serverNames.map(\.text) == ["x.a.test"])
        #expect(rules.tcp.first?.matches.first?.destinationSubnets.map(\.description) == ["10.0.0.0/8"])
        #expect(rules.tcp.first?.destinations.map(\.host.text) == ["c.test"])
    }

    @Test(
        "A mistake leaves out the whole object and is named with its path",
        arguments: [
            ("{gateways: [g], http: [{route: [{destination: {host: b}}]}]}", "spec.hosts: at least one"),
            ("{tcp: [{route: [{destination: {host: b}}]}]}", "spec.hosts: at least one"),
            ("{hosts: [a.test]}", "spec: has no http, tls or tcp"),
            ("{hosts: [a.test], http: [{}]}", "spec.http[0]: needs one of"),
            (
                "{hosts: [a.test], http: [{redirect: {uri: /}, route: [{destination: {host: b}}]}]}",
                "spec.http[0]: has more than one of"
            ),
            (
                "{hosts: [a.test], http: [{route: [{destination: {}}]}]}",
                "spec.http[0].route[0].destination.host: is needed"
            ),
            (
                "{hosts: [a.test], http: [{route: [{destination: {host: b}, weight: -1}]}]}",
                "spec.http[0].route[0].weight: must not be negative"
            ),
            (
                "{hosts: [a.test], http: [{route: [{destination: {host: b}}, {destination: {host: c}}]}]}",
                "spec.http[0].route: the weights of the destinations add up to 0"
            ),
            (
                "{hosts: [a.test], http: [{timeout: -1s, route: [{destination: {host: b}}]}]}",
                "spec.http[0].timeout: must not be negative"
            ),
            (
                "{hosts: [a.test], http: [{match: [{uri: {regex: \"a(\"}}], route: [{destination: {host: b}}]}]}",
                "spec.http[0].match[0].uri.regex: is no regular expression"
            ),
            (
                "{hosts: [a.test], http: [{match: [{uri: {regex: \"(?!a)b\"}}], route: [{destination: {host: b}}]}]}",
                "spec.http[0].match[0].uri.regex: uses look-around"
            ),
            (
                "{hosts: [a.test], http: [{match: [{port: 65536}], route: [{destination: {host: b}}]}]}",
                "spec.http[0].match[0].port: 65536 is no port"
            ),
            (
                "{hosts: [a.test], http: [{retries: {attempts: 1, retryOn: sometimes}, route: [{destination: {host: b}}]}]}",
                "spec.http[0].retries.retryOn: `sometimes`"
            ),
            ("{hosts: [a.test], http: [{delegate: {}}]}", "spec.http[0].delegate.name: is needed"),
            (
                "{hosts: [a.test], http: [{delegate: {name: d}, redirect: {uri: /}}]}",
                "spec.http[0]: has more than one of"
            ),
            (
                "{hosts: [a.test], http: [{corsPolicy: {allowOrigins: [{regex: \"(\"}]}, redirect: {uri: /}}]}",
                "spec.http[0].corsPolicy.allowOrigins[0].regex"
            ),
            (
                "{hosts: [a.test], http: [{corsPolicy: {allowOrigins: [{}]}, redirect: {uri: /}}]}",
                "spec.http[0].corsPolicy.allowOrigins[0]: needs one of"
            ),
            (
                "{hosts: [a.test], http: [{corsPolicy: {allowMethods: ['GET,PUT']}, redirect: {uri: /}}]}",
                "spec.http[0].corsPolicy.allowMethods[0]: `GET,PUT`"
            ),
            (
                "{hosts: [a.test], http: [{corsPolicy: {maxAge: 1.5s}, redirect: {uri: /}}]}",
                "spec.http[0].corsPolicy.maxAge: must be whole seconds"
            ),
            ("{hosts: [a.test], http: [{directResponse: {status: 199}}]}", "spec.http[0].directResponse.status: 199"),
            ("{hosts: [a.test], http: [{redirect: {redirectCode: 304}}]}", "spec.http[0].redirect.redirectCode: 304"),
            (
                "{hosts: [a.test], tls: [{match: [{sniHosts: [b.test]}], route: [{destination: {host: b}}]}]}",
                "spec.tls[0].match[0].sniHosts[0]: `b.test` is not within"
            ),
            ("{hosts: [a.test], tls: [{route: [{destination: {host: b}}]}]}", "spec.tls[0].match: is needed"),
            (
                "{hosts: [a.test], tcp: [{match: [{destinationSubnets: [x]}], route: [{destination: {host: b}}]}]}",
                "spec.tcp[0].match[0].destinationSubnets[0]: `x`"
            ),
            ("{hosts: [a.test], tcp: [{}]}", "spec.tcp[0].route: at least one"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.routes(spec))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
        #expect(mesh.snapshot.routeRules.isEmpty)
    }

    @Test("Rules about other origins are read, the old spelling of origins too")
    func crossOrigin() throws {
        let rules = try self.rules(
            """
            {hosts: [a.test], http: [{corsPolicy: {
               allowOrigins: [{exact: "https://a.test"}, {prefix: "https://b."}, {regex: "https://c[0-9]"}],
               allowOrigin: ["*"], allowMethods: [GET, PUT], allowHeaders: [x-one, "*"], exposeHeaders: [x-two],
               maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE},
              route: [{destination: {host: a.test}}]}]}
            """
        )
        let rule = try #require(rules.http.first?.crossOrigin)
        #expect(
            rule.origins == [
                .exact("https://a.test"), .prefix("https://b."), .regex("https://c[0-9]"), .exact("*"),
            ]
        )
        #expect(rule.methods == ["GET", "PUT"] && rule.headers == ["x-one", "*"] && rule.headersExposed == ["x-two"])
        #expect(rule.maxAge == .seconds(86_400) && rule.allowsCredentials == true)
        #expect(!rule.forwardsUnmatchedPreflights)
    }

    @Test("The limits themselves are allowed", arguments: [200, 599])
    func statusLimits(_ status: Int) throws {
        let rules = try self.rules("{hosts: [a.test], http: [{directResponse: {status: \(status)}}]}")
        #expect(rules.http.map(\.action) == [.respond(status: UInt32(status), body: nil)])
    }

    @Test("What is not supported yet is warned about by name, and the rest works")
    func unsupported() throws {
        let mesh = try Mesh(
            Samples.routes(
                """
                {hosts: [a.test], http: [{fault: {abort: {httpStatus: 500}}, mirror: {host: c.test},
                  retries: {attempts: 1, retryRemoteLocalities: true},
                  route: [{destination: {host: a.test}}]}]}
                """
            )
        )
        let fields = mesh.snapshot.diagnoses.filter { $0.message.contains("not supported") }.map(\.field)
        #expect(fields == ["fault", "mirror", "retries.retryRemoteLocalities"].map { "spec.http[0].\($0)" })
        #expect(mesh.snapshot.routeRules.count == 1)
    }

    @Test("Destinations that are not there are warned about: host, subset, port")
    func unknownDestinations() throws {
        let mesh = try Mesh(
            [
                Samples.ratings,
                Samples.routes(
                    """
                    {hosts: [ratings], http: [{route: [
                      {destination: {host: nobody}, weight: 1},
                      {destination: {host: ratings, subset: v2}, weight: 1},
                      {destination: {host: ratings, port: {number: 81}}, weight: 1}]}]}
                    """
                ),
            ].joined(separator: "\n---\n")
        )
        #expect(
            mesh.warnings() == [
                "spec.http[0].route[0].destination.host: no Service or ServiceEntry has the host "
                    + "`nobody.default.svc.cluster.local`",
                "spec.http[0].route[1].destination.subset: no DestinationRule for "
                    + "`ratings.default.svc.cluster.local` has the subset `v2`",
                "spec.http[0].route[2].destination.port: `ratings.default.svc.cluster.local` has no port 81, only 9080",
            ]
        )
    }
}
