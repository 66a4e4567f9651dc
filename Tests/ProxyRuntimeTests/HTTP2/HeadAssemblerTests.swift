import NIOCore
import ProxyRuntime
import Testing

@Suite struct HeadAssemblerTests {
    private static let request = [
        (":method", "GET"), (":scheme", "http"), (":path", "/a?b=c"), (":authority", "Host.test"),
    ]

    private static func assemble(
        _ fields: [(String, String)],
        _ purpose: HeadAssembler.Purpose = .request,
        bytesMax: Int = 8192
    ) -> HeadAssembler {
        let assembler = HeadAssembler()
        assembler.begin(purpose, bytesMax: bytesMax)
        for (name, value) in fields {
            Array(name.utf8).withUnsafeBytes { name in
                Array(value.utf8).withUnsafeBytes { assembler.add(name, $0) }
            }
        }
        assembler.finish()
        return assembler
    }

    private static func text(_ assembler: HeadAssembler) -> String { String(decoding: assembler.text, as: UTF8.self) }

    @Test("A request becomes what an HTTP/1.1 client would have sent")
    func laysOutRequests() {
        let assembler = Self.assemble(
            Self.request + [("cookie", "a=1"), ("accept", "*/*"), ("te", "trailers"), ("cookie", "b=2")]
        )

        #expect(assembler.fault == nil)
        #expect(
            Self.text(assembler)
                == "GET /a?b=c HTTP/1.1\r\nhost: Host.test\r\naccept: */*\r\nte: trailers\r\ncookie: a=1; b=2\r\n\r\n"
        )
    }

    @Test("Empty crumbs of a cookie leave no space at its end, which a scanner would not count in")
    func dropsEmptyCrumbs() {
        let assembler = Self.assemble(Self.request + [("cookie", ""), ("cookie", "a=1"), ("cookie", "")])
        var scanner = RequestScanner(headBytesMax: 8192)

        #expect(Self.text(assembler).hasSuffix("\r\ncookie: a=1\r\n\r\n"))
        #expect(scanner.scan(assembler.text) == .complete)
        #expect(assembler.fields.fields == scanner.fields.fields)
    }

    @Test("A scanner reads the same out of it")
    func agreesWithTheScanner() {
        let assembler = Self.assemble(Self.request + [("content-length", "12"), ("x-request-id", "7")])
        var scanner = RequestScanner(headBytesMax: 8192)

        #expect(scanner.scan(assembler.text) == .complete)
        #expect(assembler.fields.fields == scanner.fields.fields)
        #expect(assembler.fields.contentLength == 12)
    }

    @Test("A response becomes what an HTTP/1.1 server would have sent")
    func laysOutResponses() {
        let assembler = Self.assemble([(":status", "404"), ("content-type", "text/plain")], .response)

        #expect(assembler.fault == nil)
        #expect(assembler.status == 404)
        #expect(Self.text(assembler) == "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\n")
    }

    static let malformed: [[(String, String)]] = [
        [],
        Array(request.dropFirst()),
        Array(request.prefix(1)),
        request + [(":method", "GET")],
        request + [("accept", "*/*"), (":path", "/late")],
        request + [(":unknown", "x")],
        request + [(":status", "200")],
        request + [("Accept", "*/*")],
        request + [("", "x")],
        request + [("a b", "x")],
        request + [("a:b", "x")],
        request + [("a", "x\r\ny: z")],
        request + [("a", "x\u{0}")],
        request + [("a", " x")],
        request + [("a", "x ")],
        request + [("connection", "close")],
        request + [("keep-alive", "5")],
        request + [("proxy-connection", "close")],
        request + [("transfer-encoding", "chunked")],
        request + [("upgrade", "h2c")],
        request + [("te", "gzip")],
        request + [("host", "other.test")],
        request + [("content-length", "1"), ("content-length", "1")],
        request + [("content-length", "x")],
        [(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "a"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/a b"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "user@a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "a\r\nb: c")],
        [(":method", "GE T"), (":scheme", "http"), (":path", "/a"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/a")],
        [(":method", "CONNECT"), (":scheme", "http"), (":path", "/a"), (":authority", "a:1")],
    ]

    @Test("Malformed requests are refused", arguments: Self.malformed.indices)
    func refusesRequests(_ index: Int) {
        #expect(Self.assemble(Self.malformed[index]).fault == .malformed)
    }

    @Test(
        "Malformed responses are refused",
        arguments: [
            [], [("a", "b")], [(":status", "20")], [(":status", "2000")], [(":status", "abc")], [(":status", "101")],
            [(":status", "200"), (":status", "200")], [(":status", "200"), ("connection", "close")],
        ] as [[(String, String)]]
    )
    func refusesResponses(_ fields: [(String, String)]) {
        #expect(Self.assemble(fields, .response).fault == .malformed)
    }

    @Test("A head over the limit is too large, one under it is not")
    func boundsHeads() {
        let bulk = Self.request + [("x", String(repeating: "y", count: 1000))]

        #expect(Self.assemble(bulk, bytesMax: 1024).fault == .tooLarge)
        #expect(Self.assemble(bulk, bytesMax: 1400).fault == nil)
    }

    @Test("Many references to one large entry are no way around the limit")
    func boundsBombs() {
        let many = Self.request + [(String, String)](repeating: ("x", String(repeating: "y", count: 4000)), count: 4000)

        let assembler = Self.assemble(many, bytesMax: 60 * 1024)

        #expect(assembler.fault == .tooLarge)
        #expect(assembler.text.count <= 60 * 1024)
    }

    @Test("More than a hundred fields are too many")
    func boundsFields() {
        let many = Self.request + (0..<100).map { ("x-\($0)", "y") }

        #expect(Self.assemble(many).fault == .tooLarge)
    }

    @Test("Trailers are lines; framing cannot come late, and pseudo-headers not at all")
    func laysOutTrailers() {
        let trailers = Self.assemble([("grpc-status", "0"), ("content-length", "5")], .trailers)

        #expect(trailers.fault == nil)
        #expect(Self.text(trailers) == "grpc-status: 0\r\n")
        #expect(Self.assemble([(":status", "200")], .trailers).fault == .malformed)
    }

    @Test("What goes out as a block comes back as the same head")
    func roundTrips() throws {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        let head = "POST /x HTTP/1.1\r\nAccept: a\r\nHost: a.test\r\nconnection: close\r\nX-Empty:\r\n\r\n"
        for _ in 0..<3 {
            var block = ByteBuffer()
            Array(head.utf8).withUnsafeBytes { HeadEncoder.request($0, isHTTPS: true, &encoder, to: &block) }
            let assembler = HeadAssembler()
            assembler.begin(.request, bytesMax: 8192)
            let fault = block.withUnsafeReadableBytes { decoder.decode($0) { assembler.add($0, $1) } }
            assembler.finish()

            #expect(fault == nil)
            #expect(assembler.fault == nil)
            #expect(assembler.isHTTPS)
            #expect(Self.text(assembler) == "POST /x HTTP/1.1\r\nhost: a.test\r\naccept: a\r\nx-empty: \r\n\r\n")
        }
    }
}
