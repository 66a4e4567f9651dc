import MeshModel
import Testing
import TrafficEngine

/// What requests to a service mean.
@Suite struct ServiceInterfaceTests {
    private static let web = MixerService(
        host: "web.shop.svc.cluster.local",
        attributes: ["destination.service.name": .text("web")],
        isChargedByClients: true
    )

    /// An interface whose operations are named after their paths; `~` in front makes an expression of one.
    private static func interface(
        _ operations: [String],
        method: String = "GET",
        keyPlaces: [APIKeyPlace] = []
    ) throws -> ServiceInterface {
        ServiceInterface(
            of: Self.web,
            attributes: ["api.service": .text("pets"), "api.version": .text("1")],
            operations: try operations.map { text in
                ServiceInterface.Operation(
                    method: Array(method.utf8),
                    path: text.hasPrefix("~")
                        ? .regex(try Pattern(compiling: String(text.dropFirst())))
                        : .template(try URITemplate(parsing: text)),
                    attributes: ["api.operation": .text(text), "api.version": .text("2")]
                )
            },
            keyPlaces: keyPlaces
        )
    }

    private func operation(_ target: String, _ interface: ServiceInterface, method: String = "GET") -> String? {
        var request = MixedRequest(target)
        request.text.method = method
        let service = request.text.withView { interface.service(of: $0) }
        #expect(service.attributes["destination.service.name"] == .text("web") && service.isChargedByClients)
        #expect(service.attributes["api.service"] == .text("pets"))
        guard case .text(let name) = service.attributes["api.operation"] else {
            #expect(service.attributes["api.version"] == .text("1"))
            return nil
        }
        #expect(service.attributes["api.version"] == .text("2"))
        return name
    }

    @Test(
        "A path is the operation whose template it has the form of, the closest one first",
        arguments: [
            ("/pets", "/pets"), ("/pets/", "/pets"), ("/pets?limit=5", "/pets"), ("/pets/7", "/pets/{id}"),
            ("/pets/7?a=/b", "/pets/{id}"), ("/pets/new", "/pets/new"), ("/pets/7/photo", "/pets/{id}/photo"),
            // The text leads nowhere, so that the variable has its turn.
            ("/pets/new/photo", "/pets/{id}/photo"), ("/pets/7.json", "/pets/{id}.json"),
            ("/pets/.json", "/pets/{id}"), ("/pets/7/a/b/c", "/pets/{id}/**"), ("/pets/new/a", "/pets/{id}/**"),
            ("/", "/"), ("", nil), ("pets", nil), ("/pet", nil), ("/PETS", nil), ("//pets", nil), ("/pets//photo", nil),
            ("/owners", "/owners/**"), ("/owners/a//b/", "/owners/**"),
        ] as [(String, String?)]
    )
    func templates(_ target: String, _ expected: String?) throws {
        let all = [
            "/", "/pets", "/pets/{id}", "/pets/new", "/pets/{id}/photo", "/pets/{id}.json", "/pets/{id}/**",
            "/owners/**",
            "/pets/{other}",
        ]
        #expect(self.operation(target, try Self.interface(all)) == expected)
        #expect(self.operation(target, try Self.interface(all.filter { $0 != "/pets/{other}" }.reversed())) == expected)
    }

    @Test("The method belongs to the operation")
    func methods() throws {
        let interface = try Self.interface(["/pets", "~/cats.*"], method: "POST")
        #expect(self.operation("/pets", interface) == nil && self.operation("/cats/1", interface) == nil)
        #expect(self.operation("/pets", interface, method: "POST") == "/pets")
        #expect(self.operation("/cats/1", interface, method: "POST") == "~/cats.*")
        #expect(self.operation("/pets", interface, method: "post") == nil)
    }

    @Test("Expressions are for whole paths, and have their turn behind templates")
    func expressions() throws {
        let interface = try Self.interface(["~/pets/[0-9]+", "~/pets/.*", "/pets/1"])
        #expect(self.operation("/pets/1", interface) == "/pets/1")
        #expect(self.operation("/pets/2?x=/pets/1", interface) == "~/pets/[0-9]+")
        #expect(self.operation("/pets/2/a", interface) == "~/pets/.*")
        #expect(self.operation("/a/pets/2", interface) == nil)
    }

    @Test("Long and deep paths cost no more than looking at them once, and still mean something")
    func bounds() throws {
        // Each text leads into a tree of its own, and all of them nowhere.
        var all: [String] = []
        for number in 0..<64 {
            let parts = (0..<6).map { number >> $0 & 1 == 0 ? "/a" : "/{v\($0)}" }
            all.append(parts.joined() + "/end")
        }
        let interface = try Self.interface(all + ["/a/**"])
        #expect(self.operation(String(repeating: "/a", count: 6) + "/end", interface) == all[0])
        #expect(self.operation(String(repeating: "/a", count: 20_000), interface) == "/a/**")
        #expect(self.operation("/a/" + String(repeating: "a", count: 60_000), interface) == "/a/**")
        #expect(self.operation(String(repeating: "/b", count: 20_000), interface) == nil)
        let deepest = String(repeating: "/{a}", count: URITemplate.segmentsMax)
        let path = String(repeating: "/a", count: URITemplate.segmentsMax)
        #expect(self.operation(path, try Self.interface([deepest])) == deepest)
        #expect(self.operation(path + "/a", try Self.interface([deepest])) == nil)
        let open = String(repeating: "/{a}", count: URITemplate.segmentsMax - 1) + "/**"
        #expect(self.operation(path + "/a/b", try Self.interface([open])) == open)
    }

    // MARK: In a policy

    private func policy(_ interface: ServiceInterface, _ side: MixerPolicy.Side = .inbound) -> MixerPolicy {
        let rules = MixerServiceRules(host: Self.web.host, service: Self.web, interface: interface)
        return MixerPolicy(side: side, checkServer: nil, reportServer: nil, failsOpen: false, services: [rules])
    }

    @Test("A request's operation is among its attributes, in keys of caches and for quotas")
    func attributes() throws {
        let policy = self.policy(try Self.interface(["/pets", "/pets/{id}"]))
        func request(_ target: String) -> MixedRequest {
            var request = MixedRequest(target)
            request.policy = policy
            request.service = request.text.withView { policy.destination(of: $0).service }
            return request
        }
        #expect(request("/pets/7").withAttributes { $0.all(at: 0) }["api.operation"] == .text("/pets/{id}"))
        #expect(request("/owners").withAttributes { $0.all(at: 0) }["api.operation"] == nil)
        var cache = CheckCache()
        let answer = CheckAnswer.test(code: 7, [CheckReference(name: "api.operation", condition: .exact)])
        request("/pets/7").withAttributes { cache.keep(answer, for: $0, now: .zero) }
        #expect(request("/pets/8").withAttributes { cache.verdict(for: $0, now: .zero) }?.verdict.status.code == 7)
        #expect(request("/pets").withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        #expect(request("/owners").withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        let rule = QuotaRule(
            matches: [.init(clauses: [.init(attribute: "api.operation", text: .exact(Array("/pets".utf8)))])],
            charges: [QuotaCharge(quota: "requests", amount: 1)]
        )
        let destination = MixerDestination(quotas: [rule])
        #expect(request("/pets").withAttributes { destination.charges($0) }.count == 1)
        #expect(request("/pets/7").withAttributes { destination.charges($0) }.isEmpty)
    }

    @Test("On the way out requests to services outside the mesh have operations, connections and others have none")
    func outbound() throws {
        let policy = self.policy(try Self.interface(["/pets"]), .outbound)
        let inside = MixerService(host: Self.web.host, attributes: [:])
        MixedRequest("/pets").text.withView { view in
            #expect(policy.destination(of: Self.web, view).service?.attributes["api.operation"] == .text("/pets"))
            #expect(policy.destination(of: inside, view).service === inside)
            #expect(policy.destination(of: Self.web).service === Self.web)
        }
    }

    // MARK: Keys

    @Test("A key is taken from the first place that has one, and from no other")
    func keys() throws {
        func key(_ places: [APIKeyPlace], _ target: String, _ headers: [(String, String)]) throws -> MixerValue? {
            var request = MixedRequest(target, headers: headers)
            let interface = try Self.interface([], keyPlaces: places)
            request.service = request.text.withView { interface.service(of: $0) }
            return request.withAttributes { $0.all(at: 0) }["request.api_key"]
        }
        func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
        let places: [APIKeyPlace] = [.query(bytes("token")), .header(bytes("x-token")), .cookie(bytes("token"))]
        #expect(try key(places, "/?key=1&token=2", [("X-Token", "3")]) == .text("2"))
        #expect(
            try key(places, "/?key=1", [("x-api-key", "0"), ("X-Token", "3"), ("cookie", "token=4")]) == .text("3")
        )
        #expect(try key(places, "/", [("Cookie", "a=1;  token=4 ; token=5")]) == .text("4"))
        #expect(try key(places, "/", [("Cookie", "a=1"), ("Cookie", "token=\"4\"")]) == .text("4"))
        #expect(try key(places, "/?key=1", [("x-api-key", "0"), ("cookie", "Token=1; xtoken=2; token; =")]) == nil)
        // Where nothing is said it is as without a specification.
        #expect(try key([], "/?key=1", []) == .text("1"))
        #expect(try key([], "/", [("x-api-key", "0")]) == .text("0"))
    }
}
