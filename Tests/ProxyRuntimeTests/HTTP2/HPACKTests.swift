import NIOCore
import ProxyRuntime
import Testing

/// A field, comparable.
private struct Field: Equatable, CustomStringConvertible {
    var name: String
    var value: String
    var description: String { "\(self.name): \(self.value)" }

    init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.count, by: 2).compactMap { offset in
        UInt8(digits.dropFirst(offset).prefix(2), radix: 16)
    }
}

private func decode(_ decoder: inout HPACKDecoder, _ block: [UInt8]) -> (fields: [Field], fault: ErrorCode?) {
    var fields: [Field] = []
    let fault = block.withUnsafeBytes { block in
        decoder.decode(block) { name, value in
            fields.append(Field(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
    }
    return (fields, fault)
}

private func encode(_ encoder: inout HPACKEncoder, _ fields: [Field]) -> [UInt8] {
    var out = ByteBuffer()
    out.write(bytesMax: 16_384) { writer in
        encoder.begin(&writer)
        for field in fields {
            Array(field.name.utf8).withUnsafeBytes { name in
                Array(field.value.utf8).withUnsafeBytes { encoder.put(name, $0, to: &writer) }
            }
        }
    }
    return Array(out.readableBytesView)
}

@Suite struct HPACKTests {
    private static let site = Field(":authority", "www.example.com")
    private static let get = [Field(":method", "GET"), Field(":scheme", "http"), Field(":path", "/")]

    @Test("Three requests on one connection read as RFC 7541 appendices C.3 and C.4 say", arguments: [false, true])
    func readsRequests(isHuffman: Bool) {
        var decoder = HPACKDecoder()
        let blocks =
            isHuffman
            ? [
                "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ]
            : [
                "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ]

        let read = blocks.map { decode(&decoder, bytes($0)) }

        #expect(read.allSatisfy { $0.fault == nil })
        #expect(read[0].fields == Self.get + [Self.site])
        #expect(read[1].fields == Self.get + [Self.site, Field("cache-control", "no-cache")])
        #expect(
            read[2].fields == [
                Field(":method", "GET"), Field(":scheme", "https"), Field(":path", "/index.html"), Self.site,
                Field("custom-key", "custom-value"),
            ]
        )
        #expect(decoder.table.size == 164)
        #expect(decoder.table.count == 3)
    }

    @Test("A table of 256 bytes lets go of its oldest entries, as in RFC 7541 appendix C.5")
    func evicts() {
        var decoder = HPACKDecoder()
        let first = """
            3fe101 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54
            6e1768747470733a2f2f7777772e6578616d706c652e636f6d
            """

        let one = decode(&decoder, bytes(first))
        let two = decode(&decoder, bytes("4803333037c1c0bf"))

        #expect(one.fault == nil)
        #expect(one.fields.first == Field(":status", "302"))
        #expect(two.fields.map(\.value).prefix(2) == ["307", "private"])
        #expect(two.fields.last == Field("location", "https://www.example.com"))
        #expect(decoder.table.size == 222)
        #expect(decoder.table.count == 4)
    }

    @Test(
        "Blocks that cannot be read are an error of the connection",
        arguments: [
            "80", "be", "ff80808080", "ffffffffffff7f", "41", "410f7777", "3fe2 1f", "82 20", "0081ff", "4082ffff00",
            "40 81 00 00", "7f",
        ]
    )
    func refuses(_ hex: String) {
        var decoder = HPACKDecoder()

        #expect(decode(&decoder, bytes(hex)).fault == .compression)
    }

    @Test("Every byte survives the Huffman code, alone and among others")
    func huffmanGoesBothWays() {
        let code = HuffmanCode.standard
        let all = (0...255).map { UInt8($0) }
        for text in all.map({ [$0] }) + [all, all.reversed(), []] {
            var buffer = ByteBuffer()
            text.withUnsafeBytes { text in
                buffer.write(bytesMax: 2048) { writer in code.encode(text, to: &writer) }
                #expect(code.encodedCount(text) == buffer.readableBytes)
            }
            let decoded = [UInt8](unsafeUninitializedCapacity: 512) { target, count in
                count =
                    buffer.withUnsafeReadableBytes { code.decode($0, to: UnsafeMutableRawBufferPointer(target)) } ?? 0
            }
            #expect(decoded == text)
        }
    }

    @Test("What the encoder writes a decoder reads, however often a head repeats")
    func roundTrips() {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        var sizes: [Int] = []
        for number in 0..<300 {
            let fields =
                Self.get + [
                    Self.site, Field("user-agent", "grpc-c++/1.60"), Field("x-request-id", "id-\(number)"),
                    Field("x-group", "group-\(number % 40) \(String(repeating: "x", count: number % 90))"),
                    Field("cookie", "a=b"), Field("content-type", "application/grpc"),
                ]

            let block = encode(&encoder, fields)
            let read = decode(&decoder, block)

            #expect(read.fault == nil)
            #expect(read.fields == fields)
            sizes.append(block.count)
        }
        #expect(sizes[299] < sizes[0])
        #expect(encoder.table.size == decoder.table.size)
        #expect(encoder.table.size <= HPACKTable.sizeMax)
    }

    @Test("Letters of names go out in lower case")
    func lowersNames() {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()

        let read = decode(&decoder, encode(&encoder, [Field("X-Mixed", "Value")]))

        #expect(read.fields == [Field("x-mixed", "Value")])
    }

    @Test("A peer's smaller table is kept to, and told at the head of the next block", arguments: [0, 64, 128, 4096])
    func obeysLimits(_ limit: Int) {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        let fields = [Field("user-agent", "somebody"), Self.site]
        for _ in 0..<3 { _ = decode(&decoder, encode(&encoder, fields)) }

        encoder.peerLimit(limit)
        let reads = (0..<3).map { _ in decode(&decoder, encode(&encoder, fields)) }

        #expect(reads.allSatisfy { $0.fault == nil && $0.fields == fields })
        #expect(encoder.table.size <= limit)
        #expect(decoder.table.size == encoder.table.size)
    }

    @Test("Credentials never enter a table")
    func keepsSecretsOut() {
        var encoder = HPACKEncoder()
        for _ in 0..<5 { _ = encode(&encoder, [Field("authorization", "Bearer abc"), Field("cookie", "s=1")]) }

        #expect(encoder.table.count == 0)
    }

    @Test("Entries without name and value do not grow the table for ever")
    func boundsEmptyEntries() {
        var decoder = HPACKDecoder()
        let block = [UInt8](repeating: 0, count: 3).enumerated().map { $0.offset == 0 ? UInt8(0x40) : 0 }

        for _ in 0..<5000 { _ = decode(&decoder, block) }

        #expect(decoder.table.count == 128)
        #expect(decoder.table.size == 4096)
    }
}
