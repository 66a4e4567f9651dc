package import DNSWire

/// An answer from another server: its bytes as they came and what they mean.
package struct UpstreamAnswer: Hashable, Sendable {
    package var bytes: [UInt8]
    package var message: DNSMessage

    package init(bytes: [UInt8], message: DNSMessage) {
        self.bytes = bytes
        self.message = message
    }
}

/// One question on its way through the servers; decides, and does nothing itself.
///
/// Each try has a number of its own in the message and a socket of its own, so that an answer can be forged only by
/// somebody who sees the traffic (facts #14). A slow server may still answer while the next one is being asked.
package struct UpstreamQuestion: Sendable {
    package enum Transport: Hashable, Sendable { case udp, tcp }

    /// To be sent now.
    package struct Attempt: Hashable, Sendable {
        /// Counts from 0; facts about this try carry it.
        package var number: Int
        package var server: DNSUpstream
        package var transport: Transport
        /// The number in the message.
        package var id: UInt16
        /// After this, `attemptTimedOut` shall be called.
        package var timeout: Duration
    }

    package enum OnAnswer: Hashable, Sendable {
        /// Not the answer to this: go on waiting.
        case ignore
        /// Close this try's socket, and try this.
        case ask(Attempt)
        /// Close this try's socket; others are still out.
        case wait
        case finish(UpstreamAnswer)
        case fail
    }

    package enum OnTrouble: Hashable, Sendable {
        case ask(Attempt)
        case wait
        case fail
    }

    private enum State {
        /// Tries that may still be answered, by number.
        case asking([Int: Attempt])
        case ended
    }

    private let question: DNSQuestion
    private let servers: [DNSUpstream]
    private let tryTimeout: Duration
    /// How many UDP tries there may be in all.
    private let triesMax: Int
    private var tries = 0
    private var attemptCount = 0
    private var state = State.asking([:])
    private var random: any RandomNumberGenerator & Sendable

    /// - Parameters:
    ///   - question: as the client wrote it; servers echo its case.
    ///   - upstreams: the servers, asked in this order, all over again for each attempt.
    ///   - first: with which server to begin, if they rotate.
    ///   - random: gives the numbers in the messages.
    package init(
        question: DNSQuestion,
        upstreams: DNSUpstreams,
        first: Int = 0,
        random: some RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.question = question
        let count = upstreams.servers.count
        let shift = upstreams.rotates && count > 0 ? first % count : 0
        self.servers = Array(upstreams.servers[shift...] + upstreams.servers[..<shift])
        self.tryTimeout = upstreams.tryTimeout
        self.triesMax = count * max(upstreams.attempts, 1)
        self.random = random
    }

    /// Begins; without any server it fails at once.
    package mutating func started() -> OnTrouble { self.nextTry(else: .fail) }

    /// A try's time is over: the next server is asked, while a late answer is still welcome.
    package mutating func attemptTimedOut(_ number: Int) -> OnTrouble {
        guard case .asking(let open) = self.state, let attempt = open[number] else { return .wait }
        // Over TCP the server has said already that it knows; another try over UDP would say the same.
        if attempt.transport == .tcp { return self.closed(number) }
        return self.nextTry(else: .wait)
    }

    /// A try's socket failed: nobody there, refused, reset.
    package mutating func attemptFailed(_ number: Int) -> OnTrouble { self.closed(number) }

    /// The time for the whole question is over.
    package mutating func budgetEnded() {
        self.state = .ended
    }

    /// Bytes came for a try.
    package mutating func answered(_ number: Int, _ bytes: [UInt8]) -> OnAnswer {
        guard case .asking(var open) = self.state, let attempt = open[number] else { return .ignore }
        guard bytes.count >= 12, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == attempt.id, bytes[2] & 0x80 != 0 else {
            return .ignore
        }
        guard let message = try? DNSMessage(decoding: bytes) else {
            // Cut off by the size of our buffer, or nonsense: TCP tells.
            return attempt.transport == .udp ? self.again(overTCP: attempt) : self.onAnswer(self.closed(number))
        }
        guard message.questions == [self.question] else { return .ignore }
        if message.header.isTruncated, attempt.transport == .udp { return self.again(overTCP: attempt) }
        switch message.responseCode {
        case .noError, .nameError:
            open = [:]
            self.state = .ended
            return .finish(UpstreamAnswer(bytes: bytes, message: message))
        default: return self.onAnswer(self.closed(number))
        }
    }

    private mutating func again(overTCP attempt: Attempt) -> OnAnswer {
        self.remove(attempt.number)
        return .ask(self.attempt(attempt.server, .tcp))
    }

    private mutating func closed(_ number: Int) -> OnTrouble {
        self.remove(number)
        return self.nextTry(else: .wait)
    }

    private func onAnswer(_ trouble: OnTrouble) -> OnAnswer {
        switch trouble {
        case .ask(let attempt): .ask(attempt)
        case .wait: .wait
        case .fail: .fail
        }
    }

    private mutating func nextTry(else otherwise: OnTrouble) -> OnTrouble {
        guard case .asking(let open) = self.state else { return .wait }
        guard self.tries < self.triesMax else {
            guard open.isEmpty else { return otherwise }
            self.state = .ended
            return .fail
        }
        let server = self.servers[self.tries % self.servers.count]
        self.tries += 1
        return .ask(self.attempt(server, .udp))
    }

    private mutating func attempt(_ server: DNSUpstream, _ transport: Transport) -> Attempt {
        let attempt = Attempt(
            number: self.attemptCount,
            server: server,
            transport: transport,
            id: UInt16.random(in: 0...UInt16.max, using: &self.random),
            timeout: self.tryTimeout
        )
        self.attemptCount += 1
        if case .asking(var open) = self.state {
            open[attempt.number] = attempt
            self.state = .asking(open)
        }
        return attempt
    }

    private mutating func remove(_ number: Int) {
        guard case .asking(var open) = self.state else { return }
        open[number] = nil
        self.state = .asking(open)
    }
}
