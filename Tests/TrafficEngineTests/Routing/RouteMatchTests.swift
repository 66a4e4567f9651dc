import MeshModel
import Testing
import TrafficEngine

@Suite struct RouteMatchTests {
    private func path(_ path: RouteMatch.Path, isCaseSensitive: Bool = true) -> RouteTable {
        table(route("hit", RouteMatch(path: path, isCaseSensitive: isCaseSensitive)))
    }

    private func matches(_ target: String, _ table: RouteTable) -> Bool {
        RequestText(target: target).route(in: table) == "hit"
    }

    @Test("A prefix looks at the path and not at the query")
    func prefix() {
        let table = self.path(.prefix([UInt8]("/api")))

        #expect(self.matches("/api", table))
        #expect(self.matches("/apis/1?x=1", table))
        #expect(!self.matches("/ap?i", table))
        #expect(!self.matches("/API", table))
    }

    @Test("An exact path ends at the query")
    func exact() {
        let table = self.path(.exact([UInt8]("/login")))

        #expect(self.matches("/login?next=/x", table))
        #expect(!self.matches("/login/", table))
        #expect(!self.matches("/logi", table))
    }

    @Test("A separated prefix ends at a slash, a query or the end")
    func separatedPrefix() {
        let table = self.path(.separatedPrefix([UInt8]("/api")))

        #expect(self.matches("/api", table))
        #expect(self.matches("/api/v1", table))
        #expect(self.matches("/api?x", table))
        #expect(!self.matches("/apis", table))
    }

    @Test("A pattern must match the whole path, without the query")
    func regex() throws {
        let table = self.path(.regex(try Pattern(compiling: "/v[12]/.*")))

        #expect(self.matches("/v1/x?y=z", table))
        #expect(!self.matches("/v3/x", table))
        #expect(!self.matches("/x/v1/x", table))
    }

    @Test("Case can be ignored")
    func caseless() {
        let table = self.path(.prefix([UInt8]("/Api")), isCaseSensitive: false)

        #expect(self.matches("/aPI/x", table))
        #expect(!self.matches("/a@I/x", table))
    }

    @Test("The first route that matches wins, not the best")
    func firstWins() {
        let table = table(
            route("a", RouteMatch(path: .prefix([UInt8]("/a")))),
            route("all"),
            route("ab", RouteMatch(path: .exact([UInt8]("/ab"))))
        )

        #expect(RequestText(target: "/ab").route(in: table) == "a")
        #expect(RequestText(target: "/b").route(in: table) == "all")
    }

    private func header(_ match: HeaderMatch) -> RouteTable {
        table(route("hit", RouteMatch(path: .prefix([UInt8]("/")), headers: [match])))
    }

    @Test("Header names ignore case, values do not; repeated fields are one list")
    func headers() {
        let table = self.header(HeaderMatch(name: [UInt8]("end-user"), value: .exact([UInt8]("jason"))))

        #expect(RequestText(headers: [("End-User", "jason")]).route(in: table) == "hit")
        #expect(RequestText(headers: [("end-user", "Jason")]).route(in: table) == nil)
        #expect(RequestText(headers: [("end-user", "jason"), ("END-USER", "x")]).route(in: table) == nil)
        let list = self.header(HeaderMatch(name: [UInt8]("x"), value: .exact([UInt8]("1,2"))))
        #expect(RequestText(headers: [("x", "1"), ("y", "0"), ("X", "2")]).route(in: list) == "hit")
    }

    @Test("A missing header fails a comparison, inverted or not, unless it counts as empty")
    func missing() {
        let value = HeaderMatch.Value.exact([UInt8]("a"))
        let name = [UInt8]("x")
        let request = RequestText()

        #expect(request.route(in: self.header(HeaderMatch(name: name, value: value))) == nil)
        #expect(request.route(in: self.header(HeaderMatch(name: name, value: value, isInverted: true))) == nil)
        let lenient = HeaderMatch(name: name, value: value, isInverted: true, treatsMissingAsEmpty: true)
        #expect(request.route(in: self.header(lenient)) == "hit")
        #expect(request.route(in: self.header(HeaderMatch(name: name, value: .present, isInverted: true))) == "hit")
    }

    @Test("Pseudo headers stand for the request line and the authority")
    func pseudoHeaders() {
        let request = RequestText(method: "PUT", target: "/p?q=1", authority: "h:80")
        let pairs = [
            (":method", "PUT"), (":path", "/p?q=1"), (":authority", "h:80"), ("host", "h:80"), (":scheme", "http"),
        ]

        for (name, value) in pairs {
            let match = HeaderMatch(name: [UInt8](name), value: .exact([UInt8](value)))
            #expect(request.route(in: self.header(match)) == "hit", "\(name)")
        }
        let secure = HeaderMatch(name: [UInt8](":scheme"), value: .exact([UInt8]("https")))
        #expect(request.route(in: self.header(secure)) == nil)
        #expect(RequestText(isSecure: true).route(in: self.header(secure)) == "hit")
    }

    @Test("Query parameters are compared as sent; the first of a name counts")
    func query() {
        let match = HeaderMatch(name: [UInt8]("v"), value: .exact([UInt8]("2")))
        let table = table(route("hit", RouteMatch(path: .prefix([UInt8]("/")), queryParameters: [match])))

        #expect(self.matches("/?v=2", table))
        #expect(self.matches("/?a&v=2&v=3", table))
        #expect(!self.matches("/?v=3&v=2", table))
        #expect(!self.matches("/?vv=2", table))
        #expect(!self.matches("/v=2", table))
    }
}
