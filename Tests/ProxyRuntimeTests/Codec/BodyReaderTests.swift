import ProxyRuntime
import Testing

@Suite struct BodyReaderTests {
    static let chunked = [
        "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a=b;c=\"d e\"\r\nhello\r\n00\r\n\r\n",
        "A\r\n0123456789\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "00a\r\n0123456789\r\n0\r\n\r\n",
    ]

    @Test("A chunked body ends where its last chunk says, wherever it is cut", arguments: chunked)
    func findsChunkedEnd(_ body: String) {
        let bytes = Array((body + "GET").utf8)
        for cut in 0...bytes.count {
            var reader = BodyReader(.chunked)
            var taken = 0
            for part in [bytes[..<cut], bytes[cut...]] where !reader.hasEnded {
                let step = part.withUnsafeBytes { reader.take($0) }
                #expect(step.fault == nil)
                taken += step.count
            }
            #expect(reader.hasEnded)
            #expect(taken == body.utf8.count, "cut at \(cut)")
        }
    }

    @Test("The payload of a chunked body is found byte by byte as well", arguments: chunked)
    func findsPayload(_ body: String) {
        let payloads = ["", "hello", "hello", "0123456789x", "0123456789"]
        let expected = Self.chunked.firstIndex(of: body).map { payloads[$0] }
        var reader = BodyReader(.chunked)
        var payload: [UInt8] = []
        for byte in body.utf8 {
            [byte].withUnsafeBytes { bytes in
                _ = reader.takePayload(bytes) { payload.append(contentsOf: bytes[$0]) }
            }
        }
        #expect(reader.hasEnded)
        #expect(String(decoding: payload, as: UTF8.self) == expected)
    }

    @Test(
        "A chunked body that could be read in more than one way is refused",
        arguments: [
            ("\r\n", HeadFault.badChunkSize), ("x\r\n", .badChunkSize), ("-1\r\n", .badChunkSize),
            ("0x5\r\nhello\r\n", .badChunkSize), ("5 \r\nhello\r\n", .badChunkSize), (" 5\r\nhello\r\n", .badChunkSize),
            ("5\nhello\r\n", .badChunkSize), ("5\rhello", .badChunkSize), ("1000000000000000\r\n", .badChunkSize),
            ("5;a\nb\r\nhello\r\n", .badChunkExtension), ("5;a\u{0}\r\nhello\r\n", .badChunkExtension),
            ("5\r\nhelloX\r\n", .badChunkEnd), ("5\r\nhello\n0\r\n\r\n", .badChunkEnd), ("5\r\nhello\rX", .badChunkEnd),
            ("0\r\nX : y\r\n\r\n", .badTrailer), ("0\r\n y\r\n\r\n", .badTrailer), ("0\r\nX: y\n\r\n", .badTrailer),
            ("0\r\nContent-Length: 1\r\n\r\n", .badTrailer), ("0\r\nTransfer-Encoding: chunked\r\n\r\n", .badTrailer),
            ("0\r\nhost: b\r\n\r\n", .badTrailer), ("0\r\n\rX", .badTrailer), ("0\r\n\n", .badTrailer),
        ]
    )
    func refusesBadChunks(_ body: String, _ fault: HeadFault) {
        var reader = BodyReader(.chunked)
        let step = Array(body.utf8).withUnsafeBytes { reader.take($0) }
        #expect(step.fault == fault)
        #expect(!step.hasEnded)
    }

    @Test("A chunk extension may be long, but not endless")
    func limitsExtensions() {
        func fault(_ count: Int) -> HeadFault? {
            var reader = BodyReader(.chunked)
            let body = "1;" + String(repeating: "x", count: count) + "\r\n"
            return Array(body.utf8).withUnsafeBytes { reader.take($0) }.fault
        }
        #expect(fault(ChunkScanner.lineBytesMax - 1) == nil)
        #expect(fault(ChunkScanner.lineBytesMax + 1) == .badChunkExtension)
    }

    @Test("A body of known length takes just so many bytes", arguments: [(0, 0), (3, 3), (5, 5), (9, 5)])
    func countsLength(_ available: Int, _ taken: Int) {
        var reader = BodyReader(.length(5))
        let step = [UInt8](repeating: 1, count: available).withUnsafeBytes { reader.take($0) }
        #expect(step.count == taken)
        #expect(step.hasEnded == (taken == 5))
        #expect(step.fault == nil)
    }
}
