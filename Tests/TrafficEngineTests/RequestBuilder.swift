import TrafficEngine

/// A request's head as the codec would show it.
struct RequestText {
    var method = "GET"
    var target = "/"
    var authority = "example.com"
    var headers: [(String, String)] = []
    var isSecure = false

    /// Calls `body` with a view that is valid during the call.
    func withView<Result>(_ body: (RequestView) -> Result) -> Result {
        var bytes: [UInt8] = []
        func add(_ text: String) -> ByteRange {
            let range = ByteRange(start: UInt32(bytes.count), count: UInt32(text.utf8.count))
            bytes += Array(text.utf8) + [10]
            return range
        }
        let method = add(self.method)
        let target = add(self.target)
        let authority = add(self.authority)
        let fields = self.headers.map { HeaderField(name: add($0.0), value: add($0.1)) }
        return bytes.withUnsafeBytes { raw in
            fields.withUnsafeBufferPointer { fields in
                body(
                    RequestView(
                        bytes: raw,
                        method: method,
                        target: target,
                        authority: authority,
                        headers: fields,
                        isSecure: self.isSecure
                    )
                )
            }
        }
    }

    func route(in table: RouteTable) -> String? { self.withView { table.route($0)?.name } }
}

extension Array where Element == UInt8 {
    init(_ text: String) { self = Array(text.utf8) }
}

/// A route that is only looked at for its name.
func route(_ name: String, _ match: RouteMatch = RouteMatch(path: .prefix([UInt8]("/")))) -> Route {
    Route(name: name, match: match, action: .respond(status: 200, body: []))
}

/// A table with one virtual host for everything.
func table(_ routes: Route...) -> RouteTable {
    RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: routes)])
}
