import MeshModel
import MeshTranslate
import Testing

/// Whole configurations, to be read in review: input here, output in `Golden/`.
@Suite struct GoldenTests {
    @Test("Bookinfo's services: HTTP by host, TCP by address")
    func bookinfo() throws {
        var mesh = try Self.bookinfoMesh()
        try mesh.service("mongodb", ip: "10.214.0.30", ports: ["mongo": 27017], endpoints: ["10.213.1.30": [:]])

        try Golden.check("bookinfo", mesh.resources())
    }

    @Test("The workload's own ports, as its proxy sees them")
    func inbound() throws {
        let mesh = try Self.bookinfoMesh()

        let resources = try mesh.resources(pod: "reviews-10.213.1.11", address: "10.213.1.11")

        try Golden.check("inbound", resources)
    }

    @Test("The database of the reference: a block of one address on port 3306, resolution left out")
    func externalDatabase() throws {
        var mesh = MeshBuilder(accessLogFile: "/dev/stdout")
        try mesh.entry("mysqldb.outside.test", addresses: ["10.215.0.10/32"], port: 3306, .tcp)

        try Golden.check("external-database", mesh.resources())
    }

    @Test("Blocks on one port are told apart by address, in front of HTTP services on that port")
    func blocksAndHTTP() throws {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.214.0.50", ports: ["http": 8080], endpoints: ["10.213.1.50": [:]])
        try mesh.entry("all.outside.test", addresses: ["10.0.0.0/8"], port: 8080, .tcp)
        try mesh.entry("some.outside.test", addresses: ["10.1.0.0/16"], port: 8080, .mongo)

        try Golden.check("blocks-and-http", mesh.resources())
    }

    @Test("A VirtualService with versions, headers, weights, retries and redirects")
    func routes() throws {
        var mesh = try Self.bookinfoMesh()
        let reviews = try host("reviews.default.svc.cluster.local")
        try mesh.policy(
            for: reviews.text,
            subsets: ["v1", "v2", "v3"].map { DestinationPolicy.Subset(name: $0, labels: ["version": $0]) }
        )
        var jason = RequestMatch()
        jason.headers = ["end-user": .exact("jason")]
        var byUser = HTTPRouteRule(action: .forward([RouteDestination(host: reviews, subset: "v2")]))
        byUser.matches = [jason]
        var old = RequestMatch()
        old.path = .prefix("/old")
        var moved = HTTPRouteRule(
            action: .redirect(.init(path: "/new", authority: nil, scheme: nil, port: nil, code: 302))
        )
        moved.matches = [old]
        var rest = HTTPRouteRule(
            action: .forward([
                RouteDestination(host: reviews, subset: "v1", weight: 80),
                RouteDestination(host: reviews, subset: "v3", weight: 20),
                RouteDestination(host: reviews, subset: "v2", weight: 0),
            ])
        )
        rest.timeout = .milliseconds(2500)
        var others = CrossOriginRule()
        others.origins = [.exact("https://shop.test"), .prefix("https://any.")]
        others.methods = ["GET", "PUT"]
        others.headersExposed = ["x-mesh"]
        others.maxAge = .seconds(600)
        others.allowsCredentials = true
        rest.crossOrigin = others
        rest.retries = RetryRule(attempts: 3, perTryTimeout: .seconds(1), retryOn: ["5xx"], statusCodes: [429])
        rest.requestHeaders.set = ["x-mesh": "lateen"]
        rest.responseHeaders.remove = ["server"]
        let unreachable = HTTPRouteRule(action: .respond(status: 418, body: "never"))
        try mesh.rules(for: reviews.text, http: [byUser, moved, rest, unreachable])

        try Golden.check("routes", mesh.resources())
    }

    @Test("Protocols: TLS by name, names looked up, detection, HTTP/2, headless services, everything let through")
    func protocols() throws {
        var mesh = MeshBuilder(policy: .allowAny)
        try mesh.entry("www.outside.test", port: 443, .tls, resolution: .dns(roundRobin: false))
        try mesh.entry("*.wiki.test", port: 443, .https)
        try mesh.entry("api.outside.test", port: 80, .http, resolution: .dns(roundRobin: true))
        try mesh.service("guess", ip: "10.214.0.60", ports: ["anything": 9000], endpoints: ["10.213.1.60": [:]])
        try mesh.service("rpc", ip: "10.214.0.61", ports: ["grpc-api": 9001], endpoints: ["10.213.1.61": [:]])
        try mesh.service(
            "peers",
            ip: nil,
            ports: ["tcp": 7000],
            endpoints: ["10.213.1.71": [:], "10.213.1.70": [:]],
            isHeadless: true
        )

        try Golden.check("protocols", mesh.resources())
    }

    static func bookinfoMesh() throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.service(
            "reviews",
            ip: "10.214.0.11",
            ports: ["http": 9080],
            endpoints: [
                "10.213.1.11": ["version": "v1"], "10.213.1.12": ["version": "v2"], "10.213.1.13": ["version": "v3"],
            ]
        )
        try mesh.service("details", ip: "10.214.0.12", ports: ["http": 9080], endpoints: ["10.213.1.20": [:]])
        return mesh
    }
}
