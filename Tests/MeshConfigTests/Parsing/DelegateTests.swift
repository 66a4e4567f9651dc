import MeshConfig
import MeshModel
import Testing

/// VirtualServices that leave a part of their rules to others.
@Suite struct DelegateTests {
    private static let leaf = """
        {http: [{match: [{uri: {prefix: /shop/cart}}], timeout: 1s, headers: {request: {set: {a: leaf, b: leaf}}},
                 route: [{destination: {host: cart.test}}]},
                {route: [{destination: {host: shop.test}}]}]}
        """

    private func mesh(_ root: String, _ leaf: String = Self.leaf) throws -> Mesh {
        let root = Samples.routes("{hosts: [a.test], http: [\(root)]}", name: "root")
        return try Mesh([root, Samples.routes(leaf, name: "leaf")].joined(separator: "\n---\n"))
    }

    @Test("Rules of the delegate stand where the root delegates, within the root's conditions")
    func merges() throws {
        let mesh = try self.mesh(
            """
            {name: shop, match: [{uri: {prefix: /shop}, headers: {x: {exact: y}}}], timeout: 5s, retries: {attempts: 7},
              headers: {request: {set: {a: root, c: root}}}, delegate: {name: leaf}},
              {route: [{destination: {host: rest.test}}]}
            """
        )
        #expect(mesh.errors() == [] && mesh.snapshot.routeRules.count == 1)
        let rules = try #require(mesh.snapshot.routeRules.first?.http)
        #expect(rules.count == 3)
        let cart = rules[0]
        #expect(cart.name == "shop")
        #expect(cart.matches.map(\.path) == [.prefix("/shop/cart")])
        #expect(cart.matches.first?.headers == ["x": .exact("y")])
        #expect(cart.timeout == .seconds(1) && cart.retries?.attempts == 7)
        #expect(cart.requestHeaders.set == ["a": "leaf", "b": "leaf", "c": "root"])
        #expect(rules[1].matches.map(\.path) == [.prefix("/shop")] && rules[1].timeout == .seconds(5))
        #expect(rules.allSatisfy { $0.delegate == nil })
    }

    @Test(
        "A rule that can never be met within the root's conditions is left out, and named",
        arguments: [
            ("{uri: {prefix: /other}}", "{uri: {prefix: /shop}}"), ("{uri: {exact: /shop}}", "{uri: {prefix: /shop}}"),
            ("{uri: {regex: /shop.*}}", "{uri: {prefix: /shop}}"), ("{uri: {prefix: /}}", "{uri: {regex: /shop.*}}"),
            ("{method: {exact: GET}}", "{method: {exact: PUT}}"), ("{port: 80}", "{port: 81}"),
            ("{headers: {x: {exact: a}}}", "{headers: {x: {exact: b}}}"),
            ("{sourceLabels: {a: b}}", "{sourceLabels: {a: c}}"), ("{gateways: [mesh]}", "{gateways: [g]}"),
            ("{queryParams: {q: {exact: a}}}", "{queryParams: {q: {prefix: b}}}"),
        ]
    )
    func contradictions(_ root: String, _ leaf: String) throws {
        let mesh = try self.mesh(
            "{match: [\(root)], delegate: {name: leaf}}",
            "{http: [{match: [\(leaf)], route: [{destination: {host: b.test}}]}]}"
        )
        #expect(mesh.snapshot.routeRules.first?.http == [])
        #expect(mesh.warnings().contains { $0.hasPrefix("spec.http[0].match: contradicts") }, "\(mesh.warnings())")
    }

    @Test("Conditions of root and delegate multiply only so far")
    func bounded() throws {
        func matches(_ count: Int, _ word: String) -> String {
            (0..<count).map { "{headers: {\(word): {exact: v\($0)}}}" }.joined(separator: ", ")
        }
        let many = "{http: [{match: [\(matches(101, "b"))], route: [{destination: {host: b.test}}]}]}"
        let rest = "{route: [{destination: {host: rest.test}}]}"

        let most = try self.mesh("{match: [\(matches(99, "a"))], delegate: {name: leaf}}, \(rest)", many)
        #expect(most.errors() == [] && most.snapshot.routeRules.first?.http.first?.matches.count == 99 * 101)

        let more = try self.mesh("{match: [\(matches(100, "a"))], delegate: {name: leaf}}, \(rest)", many)
        #expect(
            more.errors().contains { $0.hasPrefix("spec.http[0].delegate: VirtualService default/leaf makes more") }
        )
        #expect(more.snapshot.routeRules.first?.http.count == 1)
    }

    @Test("Presence is implied by a value; other conditions are added")
    func narrows() throws {
        let mesh = try self.mesh(
            "{match: [{headers: {x: {}}, method: {exact: GET}}], delegate: {name: leaf}}",
            "{http: [{match: [{headers: {x: {exact: a}}, port: 80}], route: [{destination: {host: b.test}}]}]}"
        )
        let match = try #require(mesh.snapshot.routeRules.first?.http.first?.matches.first)
        #expect(match.headers == ["x": .exact("a")] && match.method == .exact("GET") && match.port == Port(80))
    }

    @Test("A delegate that is missing, or one that delegates itself, is an error; one that nobody names has no effect")
    func mistakes() throws {
        let missing = try self.mesh("{delegate: {name: nobody}}")
        #expect(missing.errors().contains { $0.hasPrefix("spec.http[0].delegate: VirtualService default/nobody") })
        #expect(missing.warnings().contains { $0.hasPrefix("spec.hosts: is empty") })
        #expect(missing.snapshot.routeRules.map(\.http) == [[]])

        let deep = try self.mesh("{delegate: {name: leaf}}", "{http: [{delegate: {name: other}}]}")
        #expect(deep.errors().contains { $0.hasPrefix("spec.http[0].delegate: what is delegated to") })

        let elsewhere = try self.mesh("{delegate: {name: leaf, namespace: other}}")
        #expect(elsewhere.errors().contains { $0.hasPrefix("spec.http[0].delegate: VirtualService other/leaf") })

        let hidden = try self.mesh(
            "{delegate: {name: leaf}}",
            "{exportTo: [other], http: [{route: [{destination: {host: b.test}}]}]}"
        )
        #expect(hidden.errors().contains { $0.contains("is not exported here") })
    }
}
