import Logging
import MeshModel
import NIOCore
import NIOEmbedded
import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct ForwardedIdentityTests {
    private static func element(_ header: ClientCertificateHeader, _ peer: PeerIdentity) -> String {
        let text = ClientCertificateElement.text(of: peer, by: "spiffe://cluster.local/ns/b/sa/own", header)
        return String(decoding: text, as: UTF8.self)
    }

    private static let peer = PeerIdentity(
        uris: ["spiffe://cluster.local/ns/a/sa/client"],
        dnsNames: ["a.test", "b.test"],
        subject: "CN=\"x\",O=y",
        hash: "0a1b"
    )

    @Test("The client's certificate is named as Envoy names it")
    func namesAll() {
        var header = ClientCertificateHeader()
        header.mode = .sanitizeSet
        (header.addsSubject, header.addsURI, header.addsDNS) = (true, true, true)

        #expect(
            Self.element(header, Self.peer)
                == "By=spiffe://cluster.local/ns/b/sa/own;Hash=0a1b;Subject=\"CN=\\\"x\\\",O=y\";"
                + "URI=spiffe://cluster.local/ns/a/sa/client;DNS=a.test;DNS=b.test"
        )
    }

    @Test("Only what is asked for is told")
    func namesLittle() {
        #expect(
            Self.element(ClientCertificateHeader(), Self.peer) == "By=spiffe://cluster.local/ns/b/sa/own;Hash=0a1b"
        )
    }

    @Test("Nothing in a certificate can end the line")
    func keepsToOneLine() {
        var header = ClientCertificateHeader()
        header.addsSubject = true
        var peer = Self.peer
        peer.subject = "CN=a\r\nx-admin: yes"

        let element = Self.element(header, peer)

        #expect(!element.utf8.contains { $0 < 0x20 })
    }

    @Test("A quote that a combining mark follows is escaped like any other")
    func escapesScalars() {
        var header = ClientCertificateHeader()
        header.addsSubject = true
        var peer = Self.peer
        peer.subject = "CN=a\"\u{301};URI=spiffe://forged\\\u{301}"

        let element = Array(Self.element(header, peer).utf8)

        let expected = "Subject=\"CN=a\\\"\u{301};URI=spiffe://forged\\\\\u{301}\""
        #expect(element.suffix(expected.utf8.count) == Array(expected.utf8)[...])
    }

    private static let chain = [("x-forwarded-client-cert", "By=forged"), ("x-envoy-internal", "true")]

    @Test("Without a client's certificate the header does not pass, unless it is trusted always")
    func sanitizes() async throws {
        for (mode, passes) in [(ClientCertificateHeader.Mode.appendForward, false), (.alwaysForwardOnly, true)] {
            let server = try await RawServer.start()
            var header = ClientCertificateHeader()
            header.mode = mode
            let terminal = FilterChain.Terminal.http(
                HTTPConnectionManager(
                    statPrefix: "test",
                    routes: .inline(Self.table),
                    addsForwardingHeaders: true,
                    appendsPeerAddress: true,
                    clientCertificateHeader: header
                )
            )
            try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
                let client = try await HTTP2Peer.client(proxy)
                client.request(1, "/", Self.chain + [("x-forwarded-proto", "https")])

                let request = await (await server.connection(0)).waitFor("\r\n\r\n")

                #expect(request.contains("x-forwarded-client-cert: By=forged\r\n") == passes)
                #expect(!request.contains("x-envoy-internal"))
                #expect(request.contains("x-forwarded-for: 127.0.0.1\r\n"))
                #expect(request.contains("x-forwarded-proto: http\r\n"))
                #expect(!request.contains("x-forwarded-proto: https\r\n"))
            }
            try await server.stop()
        }
    }

    private static let table = RouteTable(
        name: "table",
        virtualHosts: [
            VirtualHost(
                name: "all",
                domains: ["*"],
                routes: [
                    Route(
                        name: "route",
                        match: RouteMatch(path: .prefix(Array("/".utf8))),
                        action: .forward(
                            ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
                        )
                    )
                ]
            )
        ]
    )
}

@Suite struct GRPCTests {
    @Test("A timeout of gRPC has up to eight digits and a unit")
    func readsTimeouts() {
        func timeout(_ text: String) -> Duration? { Array(text.utf8).withUnsafeBytes { GRPC.timeout($0) } }

        #expect(timeout("1H") == .seconds(3600))
        #expect(timeout("2M") == .seconds(120))
        #expect(timeout("3S") == .seconds(3))
        #expect(timeout("99999999m") == .milliseconds(99_999_999))
        #expect(timeout("5u") == .microseconds(5))
        #expect(timeout("6n") == .nanoseconds(6))
        for bad in ["", "1", "S", "123456789S", "1.5S", "-1S", "1s"] { #expect(timeout(bad) == nil) }
    }

    @Test(
        "A status of HTTP has one of gRPC",
        arguments: [(400, 13), (401, 16), (403, 7), (404, 12), (503, 14), (500, 2)]
    )
    func mapsStatus(_ http: Int, _ grpc: Int) { #expect(GRPC.status(of: http) == grpc) }

    @Test("A message keeps to what a header can carry")
    func encodesMessages() {
        #expect(String(decoding: GRPC.message(Array("a%b\nö".utf8)), as: UTF8.self) == "a%25b%0A%C3%B6")
    }
}
