package import NIOCore

/// A question that may be answered, with what its asker can take.
package struct DNSQuery: Hashable, Sendable {
    package var header: DNSHeader
    package var question: DNSQuestion
    package var edns: DNSExtension?

    package init(header: DNSHeader, question: DNSQuestion, edns: DNSExtension? = nil) {
        self.header = header
        self.question = question
        self.edns = edns
    }

    /// The largest answer over UDP: what the client says, within 512 (RFC 6891 section 6.2.3) and 4096.
    package var payloadMax: Int { min(max(Int(self.edns?.payloadMax ?? 512), 512), 4096) }

    /// An answer with the question echoed byte by byte, without records yet; with OPT if and only if the query has it.
    package func response(_ code: DNSResponseCode = .noError) -> DNSMessage {
        DNSRequest.response(to: self.header, question: self.question, edns: self.edns, code)
    }
}

/// What came in on a server's port.
package enum DNSRequest: Hashable, Sendable {
    /// A query with one question of class IN.
    case query(DNSQuery)
    /// To be answered with this and nothing else.
    case refused(DNSMessage)
    /// A response, or too short to have a number: answering could start a loop (or serve an attacker).
    case ignored

    /// What servers announce as the largest UDP message that they take: passes the internet without fragments.
    package static let payloadMax: UInt16 = 1232

    package init(decoding buffer: ByteBuffer) {
        self.init(decoding: Array(buffer.readableBytesView))
    }

    package init(decoding bytes: [UInt8]) {
        var reader = DNSReader(bytes: bytes)
        guard bytes.count >= 12, let id = try? reader.sixteen(), let flags = try? reader.sixteen() else {
            self = .ignored  // too short: the error says no more than that
            return
        }
        let header = DNSHeader(id: id, flags: flags)
        if header.isResponse {
            self = .ignored
        } else if header.opcode != 0 {
            self = .refused(Self.response(to: header, question: nil, edns: nil, .notImplemented))
        } else {
            self = Self.decoded(header, bytes)
        }
    }

    private static func decoded(_ header: DNSHeader, _ bytes: [UInt8]) -> DNSRequest {
        // Whatever is wrong with it: the client is told that it is.
        guard let message = try? DNSMessage(decoding: bytes), let question = message.questions.first,
            message.questions.count == 1
        else { return .refused(Self.response(to: header, question: nil, edns: nil, .formatError)) }
        if let edns = message.edns, edns.version != 0 {
            return .refused(Self.response(to: header, question: question, edns: edns, .badVersion))
        }
        guard question.questionClass == .internet else {
            return .refused(Self.response(to: header, question: question, edns: message.edns, .refused))
        }
        return .query(DNSQuery(header: header, question: question, edns: message.edns))
    }

    static func response(
        to header: DNSHeader,
        question: DNSQuestion?,
        edns: DNSExtension?,
        _ code: DNSResponseCode
    ) -> DNSMessage {
        // Number, opcode, RD and CD come back as they were asked.
        var answer = DNSHeader(id: header.id, flags: header.flags & 0x7910)
        answer.isResponse = true
        answer.responseCode = code
        return DNSMessage(
            header: answer,
            questions: question.map { [$0] } ?? [],
            edns: edns.map { query in
                DNSExtension(
                    payloadMax: Self.payloadMax,
                    responseCodeUpper: UInt8(truncatingIfNeeded: code.rawValue >> 4),
                    wantsSignatures: query.wantsSignatures
                )
            }
        )
    }
}
