package import DNSWire
internal import MeshModel
package import NIOCore

/// Turns requests into answers: out of the table, or from other servers. Lives on one event loop.
package final class AnsweringCore {
    /// How a request came; decides how long the answer may be.
    package enum Transport {
        /// From this source, if it is known; an answer that is too long is truncated.
        case udp(from: DatagramSource?)
        case tcp
    }

    /// Asks other servers; calls back once, on this loop.
    package typealias Forward = (DNSQuery, @escaping (ForwardResult) -> Void) -> Void

    package let tables: CurrentTable
    package var table: DNSTable {
        get { self.tables.held.table }
        set { self.tables.set(newValue) }
    }
    package private(set) var statistics = DNSStatistics()
    let forward: Forward
    private let isOwn: (DatagramSource) -> Bool
    private let recentNames: RecentNames?
    private let known: KnownAnswers?
    private let log: DNSQueryLine.Log?
    /// Where the answer comes from that is being given.
    private var outcome = DNSQueryLine.Outcome.local
    let minted: MintedNames?
    private let quick = QuickAnswerer()
    /// Where an answer for TCP is written first; most of it is never touched and takes no memory.
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)
    private let nextRotation: () -> UInt32

    /// - Parameters:
    ///   - tables: what is answered first.
    ///   - recentNames: notes what was looked up.
    ///   - known: gets answers of other servers, for those who answer without asking here.
    ///   - log: hears of every question.
    ///   - minted: gives addresses to names under wildcards.
    ///   - isOwn: whether a question from this source is one that we have sent ourselves.
    ///   - nextRotation: gives a number for each answer, which decides the order of its addresses.
    ///   - forward: asks other servers.
    init(
        tables: CurrentTable,
        recentNames: RecentNames?,
        known: KnownAnswers? = nil,
        log: DNSQueryLine.Log? = nil,
        minted: MintedNames? = nil,
        isOwn: @escaping (DatagramSource) -> Bool = { _ in false },
        nextRotation: @escaping () -> UInt32 = { UInt32.random(in: 0...UInt32.max) },
        forward: @escaping Forward
    ) {
        self.tables = tables
        self.recentNames = recentNames
        self.known = known
        self.log = log
        self.minted = minted
        self.isOwn = isOwn
        self.forward = forward
        self.nextRotation = nextRotation
    }

    package convenience init(
        table: DNSTable,
        recentNames: RecentNames?,
        minted: MintedNames? = nil,
        isOwn: @escaping (DatagramSource) -> Bool = { _ in false },
        nextRotation: @escaping () -> UInt32 = { UInt32.random(in: 0...UInt32.max) },
        forward: @escaping Forward
    ) {
        self.init(
            tables: CurrentTable(table),
            recentNames: recentNames,
            minted: minted,
            isOwn: isOwn,
            nextRotation: nextRotation,
            forward: forward
        )
    }

    deinit { self.room.deallocate() }

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
        // Datagrams were tried before they came here.
        if case .tcp = transport, self.log == nil, let answer = self.quickAnswer(request) {
            reply(answer)
            return true
        }
        switch DNSRequest(decoding: request) {
        case .ignored: return false
        case .refused(let message):
            self.statistics.requests += 1
            self.statistics.malformed += 1
            reply(Self.encoded(message, limit: 512))
        case .query(let query):
            self.statistics.requests += 1
            let reply = self.logged(query, transport, reply)
            if case .udp(let source?) = transport, self.isOwn(source) {
                // Interception sent our own question back to us: answering ends the circle.
                self.statistics.loops += 1
                self.outcome = .loop
                reply(Self.encoded(query.response(.serverFailure), limit: query.payloadMax))
                return true
            }
            self.answer(query, transport, reply)
        }
        return true
    }

    private func quickAnswer(_ request: ByteBuffer) -> ByteBuffer? {
        let held = self.tables.held
        let answer = request.withUnsafeReadableBytes { bytes in
            self.quick.answer(bytes, from: held.table, rotation: self.nextRotation(), limit: 65_535, into: self.room)
        }
        guard let answer else { return nil }
        self.statistics.requests += 1
        self.statistics.answeredLocally += 1
        if answer.isTruncated { self.statistics.truncated += 1 }
        self.recentNames?.record(answer, ttl: held.table.ttl)
        return ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: self.room[..<answer.length]))
    }

    private func answer(_ query: DNSQuery, _ transport: Transport, _ reply: @escaping (ByteBuffer) -> Void) {
        let held = self.tables.held
        switch held.table.answer(query.question, rotation: self.nextRotation()) {
        case .records(let records, let host):
            if let target = self.openAlias(records, query.question.type) {
                return self.follow(target, behind: records, query, transport, reply)
            }
            self.remember(records, host, asked: query.question.name)
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
            if self.answerMinted(query, query.question, transport, reply) { return }
            self.forward(query) { result in
                switch result {
                case .answer(let answer):
                    self.known?.put(answer, to: query, table: held.number)
                    self.pass(answer, to: query, transport, reply)
                case .failed:
                    self.outcome = .failed
                    reply(self.encoded(query.response(.serverFailure), query, transport))
                }
            }
        }
    }

    /// The same reply, and a line for it if anybody wants one.
    private func logged(
        _ query: DNSQuery,
        _ transport: Transport,
        _ reply: @escaping (ByteBuffer) -> Void
    ) -> (ByteBuffer) -> Void {
        guard let log = self.log else { return reply }
        let start = NIODeadline.now()
        return { answer in
            let flags: UInt16 = answer.getInteger(at: answer.readerIndex + 2) ?? 0
            let answers: UInt16 = answer.getInteger(at: answer.readerIndex + 6) ?? 0
            let overTCP = if case .tcp = transport { true } else { false }
            log(
                DNSQueryLine(
                    question: query.question,
                    outcome: self.outcome,
                    code: DNSResponseCode(rawValue: flags & 0xf),
                    answers: Int(answers),
                    isTruncated: flags & 0x0200 != 0,
                    overTCP: overTCP,
                    duration: .nanoseconds((NIODeadline.now() - start).nanoseconds)
                )
            )
            reply(answer)
        }
    }

    /// Answers a question for a name under a wildcard: with an address of its own, if the name has any at all.
    ///
    /// - Parameters:
    ///   - query: the client's.
    ///   - question: what is looked up: the client's question, or what an alias of ours leads to.
    ///   - leading: that alias.
    ///   - transport: how the query came.
    ///   - reply: called with the answer.
    /// - Returns: whether it is or will be answered; if not, no wildcard has to do with it.
    private func answerMinted(
        _ query: DNSQuery,
        _ question: DNSQuestion,
        behind leading: [DNSRecord] = [],
        _ transport: Transport,
        _ reply: @escaping (ByteBuffer) -> Void
    ) -> Bool {
        guard let minted = self.minted else { return false }
        switch minted.plan(question) {
        case .unrelated: return false
        case .noData(let authority):
            self.finish(query, .noError, transport, reply) { message in
                message.answers = leading
                message.authorities = [authority]
            }
        case .records(let records):
            self.rememberMinted(records, question.name, behind: leading, query)
            self.finish(query, .noError, transport, reply) { $0.answers = leading + records }
        case .ask(let name, let aliases):
            var inner = query
            inner.question = DNSQuestion(name: name, type: question.type)
            self.forward(inner) { result in
                guard case .answer(let answer) = result else {
                    return self.finish(query, .serverFailure, transport, reply) { $0.header.isAuthoritative = false }
                }
                if answer.code == .noError, !answer.addresses.isEmpty {
                    guard let records = minted.minted(name, question.type, aliases: aliases) else {
                        return self.finish(query, .serverFailure, transport, reply) {
                            $0.header.isAuthoritative = false
                        }
                    }
                    self.rememberMinted(records, name, behind: leading, query)
                    self.finish(query, .noError, transport, reply) { $0.answers = leading + records }
                } else if aliases.isEmpty, leading.isEmpty {
                    self.pass(answer, to: query, transport, reply)
                } else {
                    self.finish(query, answer.code, transport, reply) { message in
                        message.answers = leading
                        message.authorities = answer.message?.authorities ?? []
                    }
                }
            }
        }
        return true
    }

    /// Who came by an alias knows the address by that name as well.
    private func rememberMinted(
        _ records: [DNSRecord],
        _ name: DNSName,
        behind leading: [DNSRecord],
        _ query: DNSQuery
    ) {
        self.remember(records, name, asked: name)
        if !leading.isEmpty { self.remember(records, query.question.name, asked: query.question.name) }
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
        self.outcome = code == .serverFailure ? .failed : .local
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
        if self.answerMinted(query, inner.question, behind: records, transport, reply) { return }
        self.forward(inner) { result in
            switch result {
            case .answer(let answer):
                let found = answer.message
                self.remember(answer, query.question.name, isLocal: true)
                self.finish(query, answer.code, transport, reply) { message in
                    message.answers = records + (found?.answers ?? [])
                    message.authorities = found?.authorities ?? []
                }
            case .failed:
                self.finish(query, .serverFailure, transport, reply) { $0.header.isAuthoritative = false }
            }
        }
    }

    /// Hands on another server's answer: the number, the case of letters and the like are the client's.
    private func pass(
        _ answer: ForwardedAnswer,
        to query: DNSQuery,
        _ transport: Transport,
        _ reply: (ByteBuffer) -> Void
    ) {
        self.remember(answer, query.question.name, isLocal: false)
        self.outcome =
            switch answer.origin {
            case .forwarded: .forwarded
            case .cached: .cached
            case .stale: .stale
            }
        reply(
            self.counted(
                answer.reply(to: query, rotation: self.nextRotation(), limit: self.limit(query, transport))
            )
        )
    }

    /// Another server's answer; `isLocal`: an alias of ours led there.
    private func remember(_ answer: ForwardedAnswer, _ name: DNSName, isLocal: Bool) {
        guard let recentNames = self.recentNames, !answer.addresses.isEmpty else { return }
        let now = ContinuousClock.now
        let given = GivenName(name: name, isLocal: isLocal, ttl: answer.ttl, at: now)
        for address in answer.addresses { recentNames.record(name, given, for: address, now: now) }
    }

    /// Records of the table: they bind by the name that the mesh knows the host by.
    private func remember(_ records: [DNSRecord], _ name: DNSName, asked: DNSName) {
        guard let recentNames = self.recentNames else { return }
        let now = ContinuousClock.now
        let host = self.tables.held.table.host(of: asked) ?? asked
        for record in records {
            let address: IPAddress
            switch record.data {
            case .a(let bits): address = .v4(bits)
            case .aaaa(let high, let low): address = .v6(high: high, low: low)
            case .cname, .ptr, .soa, .srv, .opaque: continue
            }
            let given = GivenName(name: host, isLocal: true, ttl: record.ttl, at: now)
            recentNames.record(name, given, for: address, now: now)
            // An instance of a headless service has a name of its own.
            guard host != name, !host.isWildcard else { continue }
            let own = GivenName(name: name, isLocal: true, ttl: record.ttl, at: now)
            recentNames.record(name, own, for: address, now: now)
        }
    }

    private func limit(_ query: DNSQuery, _ transport: Transport) -> Int {
        switch transport {
        case .udp: query.payloadMax
        case .tcp: 65_535
        }
    }

    private func encoded(_ message: DNSMessage, _ query: DNSQuery, _ transport: Transport) -> ByteBuffer {
        self.counted(Self.encoded(message, limit: self.limit(query, transport)))
    }

    private func counted(_ buffer: ByteBuffer) -> ByteBuffer {
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
