package import DNSWire
internal import MeshModel
package import NIOCore

/// Turns requests into answers: out of the table, or from other servers. Lives on one event loop.
package final class AnsweringCore {
    /// How a request came; decides how long the answer may be.
    package enum Transport {
        /// From this port; an answer that is too long is truncated.
        case udp(port: Int?)
        case tcp
    }

    /// Asks other servers; calls back once, on this loop.
    package typealias Forward = (DNSQuery, @escaping (ForwardResult) -> Void) -> Void

    package var table: DNSTable
    package private(set) var statistics = DNSStatistics()
    private let forward: Forward
    private let isOwnPort: (Int) -> Bool
    private let recentNames: RecentNames?
    private var rotation: UInt32

    /// - Parameters:
    ///   - table: what is answered first.
    ///   - recentNames: notes what was looked up.
    ///   - isOwnPort: whether a question from this port is one that we have sent ourselves.
    ///   - forward: asks other servers.
    package init(
        table: DNSTable,
        recentNames: RecentNames?,
        isOwnPort: @escaping (Int) -> Bool = { _ in false },
        forward: @escaping Forward
    ) {
        self.table = table
        self.recentNames = recentNames
        self.isOwnPort = isOwnPort
        self.forward = forward
        self.rotation = UInt32.random(in: 0...UInt32.max)
    }

    package func connectionRefused() { self.statistics.connectionsRefused += 1 }

    /// Answers one message.
    ///
    /// - Parameters:
    ///   - request: as it came.
    ///   - transport: how it came.
    ///   - reply: called once with the answer, at once or later, or never if none is due.
    /// - Returns: whether `reply` is or will be called.
    @discardableResult
    package func handle(_ request: ByteBuffer, _ transport: Transport, reply: @escaping (ByteBuffer) -> Void) -> Bool {
        switch DNSRequest(decoding: request) {
        case .ignored: return false
        case .refused(let message):
            self.statistics.requests += 1
            self.statistics.malformed += 1
            reply(Self.encoded(message, limit: 512))
        case .query(let query):
            self.statistics.requests += 1
            if case .udp(let port?) = transport, self.isOwnPort(port) {
                // Interception sent our own question back to us: answering ends the circle.
                self.statistics.loops += 1
                reply(Self.encoded(query.response(.serverFailure), limit: query.payloadMax))
                return true
            }
            self.answer(query, transport, reply)
        }
        return true
    }

    private func answer(_ query: DNSQuery, _ transport: Transport, _ reply: @escaping (ByteBuffer) -> Void) {
        self.rotation &+= 1
        switch self.table.answer(query.question, rotation: self.rotation) {
        case .records(let records, let host):
            if let target = self.openAlias(records, query.question.type) {
                return self.follow(target, behind: records, query, transport, reply)
            }
            self.remember(records, host)
            self.finish(query, .noError, transport, reply) { $0.answers = records }
        case .noData(let aliases, let authority):
            self.finish(query, .noError, transport, reply) { message in
                message.answers = aliases
                message.authorities = [authority]
            }
        case .noName(let authority):
            self.finish(query, .nameError, transport, reply) { $0.authorities = [authority] }
        case .notReady:
            self.finish(query, .serverFailure, transport, reply) { $0.header.isAuthoritative = false }
        case .unknown:
            self.forward(query) { result in
                switch result {
                case .answer(let answer): self.pass(answer, to: query, transport, reply)
                case .failed:
                    reply(self.encoded(query.response(.serverFailure), query, transport))
                }
            }
        }
    }

    /// Answers out of the table.
    private func finish(
        _ query: DNSQuery,
        _ code: DNSResponseCode,
        _ transport: Transport,
        _ reply: (ByteBuffer) -> Void,
        _ fill: (inout DNSMessage) -> Void
    ) {
        self.statistics.answeredLocally += 1
        var message = query.response(code)
        message.header.isAuthoritative = true
        // Clients that ask for recursion get all there is; some warn if it is not offered.
        message.header.offersRecursion = true
        fill(&message)
        reply(self.encoded(message, query, transport))
    }

    /// The alias that the records end in, if its addresses were asked for and are not among them.
    private func openAlias(_ records: [DNSRecord], _ type: DNSType) -> DNSName? {
        guard type == .a || type == .aaaa, case .cname(let target)? = records.last?.data else { return nil }
        return target
    }

    /// An alias of ours leads to somebody else's name: stub resolvers want both in one answer.
    private func follow(
        _ target: DNSName,
        behind records: [DNSRecord],
        _ query: DNSQuery,
        _ transport: Transport,
        _ reply: @escaping (ByteBuffer) -> Void
    ) {
        var inner = query
        inner.question = DNSQuestion(name: target, type: query.question.type)
        self.forward(inner) { result in
            switch result {
            case .answer(let answer):
                // Only what can be written anew outside of its message.
                let found = answer.message.answers.filter { $0.data.isPortable }
                self.remember(found, query.question.name)
                self.finish(query, answer.message.responseCode, transport, reply) { message in
                    message.answers = records + found
                    message.authorities = answer.message.authorities.filter { $0.data.isPortable }
                }
            case .failed:
                self.finish(query, .serverFailure, transport, reply) { $0.header.isAuthoritative = false }
            }
        }
    }

    /// Hands on another server's answer as it is: only the number and the question's case are the client's.
    private func pass(
        _ answer: UpstreamAnswer,
        to query: DNSQuery,
        _ transport: Transport,
        _ reply: (ByteBuffer) -> Void
    ) {
        self.remember(answer.message.answers, query.question.name)
        let name = query.question.name.wire
        // The question stands right behind the header and was compared, so that it has the same length.
        guard answer.bytes.count <= self.limit(query, transport), answer.bytes.count >= 12 + name.count else {
            self.statistics.truncated += 1
            var message = query.response(answer.message.header.responseCode)
            message.header.isTruncated = true
            message.header.offersRecursion = true
            return reply(Self.encoded(message, limit: query.payloadMax))
        }
        var bytes = ByteBuffer(bytes: answer.bytes)
        bytes.setInteger(query.header.id, at: bytes.readerIndex)
        bytes.setBytes(name, at: bytes.readerIndex + 12)
        reply(bytes)
    }

    private func remember(_ records: [DNSRecord], _ name: DNSName) {
        guard let recentNames = self.recentNames else { return }
        for record in records {
            switch record.data {
            case .a(let bits): recentNames.record(name, for: .v4(bits))
            case .aaaa(let high, let low): recentNames.record(name, for: .v6(high: high, low: low))
            case .cname, .ptr, .soa, .srv, .opaque: ()
            }
        }
    }

    private func limit(_ query: DNSQuery, _ transport: Transport) -> Int {
        switch transport {
        case .udp: query.payloadMax
        case .tcp: 65_535
        }
    }

    private func encoded(_ message: DNSMessage, _ query: DNSQuery, _ transport: Transport) -> ByteBuffer {
        let buffer = Self.encoded(message, limit: self.limit(query, transport))
        // TC is in the third byte.
        if let flags: UInt8 = buffer.getInteger(at: buffer.readerIndex + 2), flags & 0x02 != 0 {
            self.statistics.truncated += 1
        }
        return buffer
    }

    private static func encoded(_ message: DNSMessage, limit: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: limit)
        return buffer
    }
}

extension DNSData {
    /// Whether it means the same in another message; opaque data may point into its own.
    fileprivate var isPortable: Bool {
        switch self {
        case .a, .aaaa, .cname, .ptr, .soa, .srv: true
        case .opaque: false
        }
    }
}
