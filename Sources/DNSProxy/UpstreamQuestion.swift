package import DNSWire

/// One question on its way through the servers; decides, and does nothing itself.
///
/// Each try has a number of its own in the message, a socket of its own and letters of its own, so that an answer can
/// be forged only by somebody who sees the traffic (facts #14). A slow server may still answer while the next one is
/// being asked.
package struct UpstreamQuestion: Sendable {
    package enum Transport: Hashable, Sendable { case udp, tcp, tls }

    /// To be sent now.
    package struct Attempt: Hashable, Sendable {
        /// Counts from 0; facts about this try carry it.
        package var number: Int
        package var server: DNSUpstream
        package var transport: Transport
        /// The number in the message.
        package var id: UInt16
        /// The question's name with the letters as they are sent.
        package var name: DNSName
        package var hasEDNS: Bool
        /// After this, `attemptTimedOut` shall be called.
        package var timeout: Duration
        /// It repeats a question whose answer came with letters of another case: now it is found out who did that.
        package var isDoubted = false
        /// Nobody could be asked over TCP: it repeats the question over UDP with the letters as they are.
        package var isCaseless = false
        /// It repeats a question that was refused for its form, without EDNS.
        package var isPlain = false

        var hasRandomCase: Bool
        var forgeries = 0
    }

    /// Why an answer is not the one to this question.
    package enum Forgery: Hashable, Sendable, CaseIterable { case number, noAnswer, question, letterCase }

    package enum OnAnswer: Hashable, Sendable {
        /// Nobody waits for it any more.
        case ignore
        /// Not the answer to this: go on waiting.
        case forged(Forgery)
        /// Close this try's socket, and try this.
        case ask(Attempt)
        /// The same, over TCP: what came may be a forger's.
        case doubt(Forgery, Attempt)
        /// Close this try's socket; others are still out.
        case wait
        case finish(CleanAnswer)
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

    /// Wrong answers to one try until it is repeated over TCP, where nobody can guess.
    package static let forgeriesMax = 8

    private let question: DNSQuestion
    private let wantsSignatures: Bool
    private let bindings: ServiceBindings
    private let plan: UpstreamPlan
    /// How many of the plan's tries were begun.
    private var tries = 0
    private var attemptCount = 0
    private var state = State.asking([:])
    private var random: any RandomNumberGenerator & Sendable

    /// - Parameters:
    ///   - question: what is asked, in any case.
    ///   - plan: the servers in the order in which they are asked.
    ///   - wantsSignatures: whether the client understands DNSSEC.
    ///   - bindings: what becomes of HTTPS and SVCB records.
    ///   - random: gives the numbers in the messages and the case of letters.
    package init(
        question: DNSQuestion,
        plan: UpstreamPlan,
        wantsSignatures: Bool = false,
        bindings: ServiceBindings = .unchanged,
        random: some RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.question = question
        self.plan = plan
        self.wantsSignatures = wantsSignatures
        self.bindings = bindings
        self.random = random
    }

    /// Begins; without any server it fails at once.
    package mutating func started() -> [OnTrouble] {
        var first = [self.nextTry(else: .fail)]
        while first.count < self.plan.width, self.tries < self.plan.tries.count {
            first.append(self.nextTry(else: .wait))
        }
        return first
    }

    /// A try that is under way.
    package func attempt(_ number: Int) -> Attempt? {
        guard case .asking(let open) = self.state else { return nil }
        return open[number]
    }

    /// A try's time is over: the next server is asked, while a late answer is still welcome.
    package mutating func attemptTimedOut(_ number: Int) -> OnTrouble {
        guard let attempt = self.attempt(number) else { return .wait }
        // A connection that stays silent is given up: what it may still say, another try will say sooner.
        if attempt.transport != .udp { return self.lost(attempt) }
        return self.nextTry(else: .wait)
    }

    /// A try's socket failed: nobody there, refused, reset.
    package mutating func attemptFailed(_ number: Int) -> OnTrouble {
        self.attempt(number).map { self.lost($0) } ?? .wait
    }

    private mutating func lost(_ attempt: Attempt) -> OnTrouble {
        guard attempt.isDoubted else { return self.closed(attempt.number) }
        // A server that loses letters and has no TCP is still a server; whoever guessed everything but letters would
        // not have needed them before.
        let name = self.question.name
        return .ask(
            self.again(.udp, attempt) {
                ($0.isDoubted, $0.isCaseless, $0.hasRandomCase, $0.name) = (false, true, false, name)
            }
        )
    }

    /// A try's socket is closed for want of room: its answer would still be welcome, but is not waited for.
    package mutating func dropped(_ number: Int) { self.remove(number) }

    /// The time for the whole question is over.
    package mutating func budgetEnded() {
        self.state = .ended
    }

    /// Bytes came for a try.
    package mutating func answered(_ number: Int, _ bytes: [UInt8]) -> OnAnswer {
        guard let attempt = self.attempt(number) else { return .ignore }
        guard bytes.count >= 12, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == attempt.id else {
            return self.forged(.number, attempt)
        }
        // A response to a standard query.
        guard bytes[2] & 0xf8 == 0x80 else { return self.forged(.noAnswer, attempt) }
        guard let message = try? DNSMessage(decoding: bytes) else {
            // Cut off by the size of our buffer, or nonsense: TCP tells.
            return attempt.transport == .udp ? .ask(self.again(.tcp, attempt)) : self.onAnswer(self.closed(number))
        }
        let code = message.responseCode
        let isComplaint = code == .formatError || code == .notImplemented || code == .badVersion
        // Who cannot read a question may not repeat it either.
        guard message.questions == [self.question] || (isComplaint && message.questions.isEmpty) else {
            return self.forged(.question, attempt)
        }
        if attempt.transport == .udp, attempt.hasRandomCase, let echo = message.questions.first,
            echo.name.wire != attempt.name.wire
        {
            return .doubt(.letterCase, self.again(.tcp, attempt) { $0.isDoubted = true })
        }
        if isComplaint, attempt.hasEDNS {
            return .ask(self.again(attempt.transport, attempt) { ($0.hasEDNS, $0.isPlain) = (false, true) })
        }
        if message.header.isTruncated {
            return attempt.transport == .udp ? .ask(self.again(.tcp, attempt)) : self.onAnswer(self.closed(number))
        }
        guard code == .noError || code == .nameError,
            let clean = CleanAnswer(
                message,
                to: self.question,
                wantsSignatures: self.wantsSignatures,
                bindings: self.bindings
            )
        else { return self.onAnswer(self.closed(number)) }
        self.state = .ended
        return .finish(clean)
    }

    /// Somebody guesses; who guesses too often is left alone with it.
    private mutating func forged(_ kind: Forgery, _ attempt: Attempt) -> OnAnswer {
        guard attempt.transport == .udp else { return .forged(kind) }
        guard attempt.forgeries + 1 < Self.forgeriesMax else { return .doubt(kind, self.again(.tcp, attempt)) }
        if case .asking(var open) = self.state {
            open[attempt.number]?.forgeries += 1
            self.state = .asking(open)
        }
        return .forged(kind)
    }

    /// The same server once more.
    private mutating func again(
        _ transport: Transport,
        _ attempt: Attempt,
        _ change: (inout Attempt) -> Void = { _ in }
    ) -> Attempt {
        self.remove(attempt.number)
        var next = attempt
        next.transport = transport
        next.forgeries = 0
        change(&next)
        return self.begin(next)
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
        guard self.tries < self.plan.tries.count else {
            guard open.isEmpty else { return otherwise }
            self.state = .ended
            return .fail
        }
        let next = self.plan.tries[self.tries]
        self.tries += 1
        return .ask(
            self.begin(
                Attempt(
                    number: 0,
                    server: next.server,
                    transport: next.server.tlsName == nil ? .udp : .tls,
                    id: 0,
                    name: self.question.name,
                    hasEDNS: next.hasEDNS,
                    timeout: next.patience,
                    hasRandomCase: next.hasRandomCase
                )
            )
        )
    }

    private mutating func begin(_ attempt: Attempt) -> Attempt {
        var attempt = attempt
        attempt.number = self.attemptCount
        attempt.id = UInt16.random(in: 0...UInt16.max, using: &self.random)
        if attempt.transport == .udp, attempt.hasRandomCase {
            attempt.name = self.question.name.withRandomCase(using: &self.random)
        }
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
