import MeshModel
import Testing
import TrafficEngine

@Suite struct RequestAttributesTests {
    @Test("A request is told in Istio's words")
    func all() {
        var request = MixedRequest(
            "/a/b?k=1&k=2&l",
            headers: [("User-Agent", "curl"), ("X-A", "1"), ("x-a", "2"), ("Content-Type", "application/grpc")]
        )
        request.text.method = "POST"
        request.facts.peer = PeerIdentity(uris: ["spiffe://cluster.local/ns/shop/sa/web"])
        let values = request.withAttributes { $0.all(at: 7) }
        #expect(values["request.method"] == .text("POST"))
        #expect(values["request.path"] == .text("/a/b?k=1&k=2&l"))
        #expect(values["request.url_path"] == .text("/a/b"))
        #expect(values["request.host"] == .text("example.com"))
        #expect(values["request.scheme"] == .text("http"))
        #expect(values["request.useragent"] == .text("curl"))
        #expect(values["request.referer"] == nil)
        #expect(values["context.protocol"] == .text("grpc"))
        #expect(values["source.ip"] == .bytes([10, 0, 0, 1]))
        #expect(values["source.principal"] == .text("cluster.local/ns/shop/sa/web"))
        #expect(values["source.namespace"] == .text("shop"))
        #expect(values["connection.mtls"] == .truth(true))
        #expect(values["request.query_params"] == MixerValue.map(["k": "1", "l": ""]))
        #expect(values["request.time"] == .moment(milliseconds: 7))
        #expect(values["destination.namespace"] == .text("shop"))
        guard case .map(let headers) = values["request.headers"] else {
            Issue.record("no headers")
            return
        }
        #expect(headers["x-a"] == "1,2")
        #expect(headers[":path"] == "/a/b?k=1&k=2&l" && headers[":method"] == "POST")
    }

    @Test("Without a certificate nobody is named")
    func stranger() {
        let values = MixedRequest().withAttributes { $0.all(at: 0) }
        #expect(values["source.principal"] == nil && values["source.namespace"] == nil)
        #expect(values["connection.mtls"] == .truth(false))
    }

    @Test("A foreign identity has no namespace")
    func foreign() {
        let values = MixedRequest(peer: "https://other.test/x").withAttributes { $0.all(at: 0) }
        #expect(values["source.principal"] == .text("https://other.test/x"))
        #expect(values["source.namespace"] == nil)
    }

    @Test(
        "Codes of gRPC become statuses of HTTP",
        arguments: [
            (0, 200, "OK"), (5, 404, "NOT_FOUND"), (7, 403, "PERMISSION_DENIED"), (8, 429, "RESOURCE_EXHAUSTED"),
            (13, 500, "INTERNAL"), (14, 503, "UNAVAILABLE"), (16, 401, "UNAUTHENTICATED"), (17, 500, "UNKNOWN"),
            (-1, 500, "UNKNOWN"),
        ]
    )
    func statuses(_ code: Int32, _ http: Int, _ name: String) {
        let status = MixerStatus(code: code, message: "why")
        #expect(status.httpStatus == http && status.name == name)
        #expect(status.text == "\(name):why")
    }
}
