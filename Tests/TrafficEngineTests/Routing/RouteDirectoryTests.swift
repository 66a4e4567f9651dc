import Testing
import TrafficEngine

@Suite struct RouteDirectoryTests {
    private func directory(_ entries: [([String], String)]) -> RouteDirectory {
        RouteDirectory(
            headers: [[UInt8]("x-namespace"), [UInt8]("x-name")],
            entries: entries.map { values, name in
                RouteDirectory.Entry(values: values.map { [UInt8]($0) }, route: route(name))
            }
        )
    }

    private func found(_ directory: RouteDirectory, _ headers: [(String, String)]) -> String? {
        RequestText(headers: headers).withView { directory.route($0)?.name }
    }

    @Test("A route is found by the values of all headers, however their names are written")
    func found() {
        let directory = self.directory([(["a", "x"], "one"), (["a", "y"], "two"), (["b", "x"], "three")])

        #expect(self.found(directory, [("X-Name", "x"), ("x-other", "1"), ("x-namespace", "a")]) == "one")
        #expect(self.found(directory, [("x-namespace", "a"), ("x-name", "y")]) == "two")
        #expect(self.found(directory, [("x-namespace", "b"), ("x-name", "x")]) == "three")
    }

    @Test("Other values, values in other letters or cut otherwise, and a missing header lead nowhere")
    func notFound() {
        let directory = self.directory([(["a", "x"], "one"), (["ab", "c"], "two")])

        #expect(self.found(directory, [("x-namespace", "b"), ("x-name", "x")]) == nil)
        #expect(self.found(directory, [("x-namespace", "A"), ("x-name", "x")]) == nil)
        #expect(self.found(directory, [("x-namespace", "a"), ("x-name", "bc")]) == nil)
        #expect(self.found(directory, [("x-namespace", "a")]) == nil)
        #expect(self.found(directory, []) == nil)
        #expect(self.found(self.directory([]), [("x-namespace", "a"), ("x-name", "x")]) == nil)
    }

    @Test("Of a header that comes twice, and of two entries with the same values, the first counts")
    func first() {
        let directory = self.directory([(["a", "x"], "one"), (["a", "x"], "two"), (["a", "y"], "three")])

        #expect(self.found(directory, [("x-namespace", "a"), ("x-name", "x"), ("x-name", "y")]) == "one")
    }

    @Test("Each of ten thousand is found")
    func many() {
        let entries = (0..<10_000).map { (["ns-\($0 % 100)", "name-\($0)"], "\($0)") }
        let directory = self.directory(entries)

        #expect(
            entries.allSatisfy { values, name in
                self.found(directory, [("x-namespace", values[0]), ("x-name", values[1])]) == name
            }
        )
        #expect(self.found(directory, [("x-namespace", "ns-1"), ("x-name", "name-2")]) == nil)
    }

    @Test("A virtual host asks its directory first, and its routes if that knows nothing or the route does not match")
    func inVirtualHost() {
        let limited = Route(
            name: "limited",
            match: RouteMatch(path: .prefix([UInt8]("/only"))),
            action: .respond(status: 200, body: [])
        )
        let directory = RouteDirectory(
            headers: [[UInt8]("x-name")],
            entries: [
                RouteDirectory.Entry(values: [[UInt8]("x")], route: route("listed")),
                RouteDirectory.Entry(values: [[UInt8]("y")], route: limited),
            ]
        )
        let host = VirtualHost(name: "all", domains: ["*"], directory: directory, routes: [route("other")])
        let table = RouteTable(name: "t", virtualHosts: [host])

        #expect(RequestText(headers: [("x-name", "x")]).route(in: table) == "listed")
        #expect(RequestText(target: "/only?q", headers: [("x-name", "y")]).route(in: table) == "limited")
        #expect(RequestText(target: "/else", headers: [("x-name", "y")]).route(in: table) == "other")
        #expect(RequestText().route(in: table) == "other")
    }
}
