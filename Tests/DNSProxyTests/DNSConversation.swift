import DNSProxy
import DNSWire
import MeshModel
import NIOCore
import NIOEmbedded
import Testing

/// A server's core whose questions to other servers are answered by the test.
final class DNSConversation {
    private(set) var forwarded: [(query: DNSQuery, done: (ForwardResult) -> Void)] = []
    private(set) lazy var core = AnsweringCore(
        table: DNSTable(hosts: [
            DNSHost(name: "near.test", addresses: [.v4(0x0a00_0001)]),
            DNSHost(name: "many.test", addresses: (0..<200).map { .v4(0x0a00_0000 + $0) }),
        ]),
        recentNames: nil,
        isOwn: { $0 == DatagramSource(address: .v4(0x0a00_0009), port: 4242) },
        forward: { [unowned self] query, done in self.forwarded.append((query, done)) }
    )

    static func query(
        _ name: String,
        id: UInt16 = 1,
        edns: DNSExtension? = nil,
        flags: UInt16 = 0x0100
    ) throws
        -> ByteBuffer
    {
        let question = DNSQuestion(name: try #require(DNSName(name)), type: .a)
        var buffer = ByteBuffer()
        DNSMessage(header: DNSHeader(id: id, flags: flags), questions: [question], edns: edns)
            .encode(into: &buffer, limit: 512)
        return buffer
    }

    static func framed(_ messages: ByteBuffer...) -> ByteBuffer {
        messages.reduce(into: ByteBuffer()) { buffer, message in
            buffer.writeImmutableBuffer(DNSFrames.framed(message))
        }
    }

    /// Another server's answer to the question number `index`, with so many addresses.
    func answer(_ index: Int, count: Int = 1, code: DNSResponseCode = .noError) throws {
        let (query, done) = self.forwarded[index]
        var header = DNSHeader(id: 7777, flags: 0x8180)
        header.responseCode = code
        // Servers may echo the name in another case than that of a client that joined.
        let name = query.question.name.lowercased
        let question = DNSQuestion(name: name, type: .a)
        let message = DNSMessage(
            header: header,
            questions: [question],
            answers: (0..<count).map { DNSRecord(name: name, ttl: 9, data: .a(0x0b00_0000 + UInt32($0))) }
        )
        let clean = try #require(CleanAnswer(message, to: question))
        done(.answer(ForwardedAnswer(try #require(KeptAnswer(clean)))))
    }

    func fail(_ index: Int) { self.forwarded[index].done(.failed) }
}
