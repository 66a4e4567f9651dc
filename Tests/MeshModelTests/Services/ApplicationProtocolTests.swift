import MeshModel
import Testing

@Suite struct ApplicationProtocolTests {
    @Test(
        "Words are read without regard to case",
        arguments: [
            ("HTTP", ApplicationProtocol.http), ("http2", .http2), ("kubernetes.io/h2c", .http2), ("GRPC", .grpc),
            ("grpc-web", .grpc), ("tcp", .tcp), ("TLS", .tls), ("HTTPS", .https), ("MONGO", .mongo), ("MySQL", .mysql),
            ("redis", .redis), ("UDP", .udp),
        ]
    )
    func words(_ word: String, _ expected: ApplicationProtocol) {
        #expect(ApplicationProtocol(word: word) == expected)
    }

    @Test("Other words are none", arguments: ["", "unknown", "http3", "htt", "tcp ", "kubernetes.io/ws"])
    func noWords(_ word: String) {
        #expect(ApplicationProtocol(word: word) == nil)
    }

    @Test(
        "A port's protocol comes from appProtocol, else from its name up to the dash, else it is unknown",
        arguments: [
            (nil, "http", 9080, ApplicationProtocol.http), (nil, "http-web", 80, .http), (nil, "HTTP-web", 80, .http),
            ("tcp", "http", 80, .tcp), ("nonsense", "http", 80, .http), (nil, "web-http", 80, .unknown),
            (nil, nil, 80, .unknown), (nil, "", 80, .unknown), (nil, "grpc-api", 80, .grpc),
            (nil, "httpx", 80, .unknown),
        ] as [(String?, String?, Int, ApplicationProtocol)]
    )
    func ports(_ appProtocol: String?, _ name: String?, _ number: Int, _ expected: ApplicationProtocol) throws {
        let port = try #require(Port(number))

        #expect(ApplicationProtocol(appProtocol: appProtocol, portName: name, port: port) == expected)
    }

    @Test(
        "Ports whose server speaks first are never sniffed",
        arguments: [(25, true), (53, true), (3306, true), (27_017, true), (3307, false), (24, false)]
    )
    func serverFirst(_ number: Int, _ isTCP: Bool) throws {
        let port = try #require(Port(number))
        let found = ApplicationProtocol(appProtocol: nil, portName: "db", port: port)

        #expect(found == (isTCP ? .tcp : .unknown))
        // Said is said.
        #expect(ApplicationProtocol(appProtocol: nil, portName: "http", port: port) == .http)
    }

    @Test("Requests can be told apart in HTTP, HTTP/2 and gRPC only")
    func http() {
        #expect(ApplicationProtocol.allCases.filter(\.isHTTP) == [.http, .http2, .grpc])
    }
}
