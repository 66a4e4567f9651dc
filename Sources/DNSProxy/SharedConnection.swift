/// A connection that many questions share: when it is opened, what is sent on it, and when it is given up.
///
/// A value: it is told what happens and the time, and sends nothing.
package struct SharedConnection: Sendable {
    /// A question that is out; it means nothing on a later connection, where numbers are given anew.
    package struct Ticket: Hashable, Sendable {
        /// The number on the wire, which is unique among those that are out.
        package var number: UInt16
        fileprivate var serial: UInt64
    }

    package enum OnQuestion: Hashable, Sendable {
        /// Open a connection; the question is sent when it is there.
        case open(Ticket)
        /// It is sent when the connection is there.
        case wait(Ticket)
        case send(Ticket)
        /// Too many are out.
        case refuse
    }

    package enum OnCancel: Hashable, Sendable {
        case keep
        /// Nothing is out: close it unless a question comes within a while.
        case idle
        case close
    }

    private enum State {
        case closed
        /// Until the first bytes have left: TCP and TLS shake hands.
        case opening
        case established
    }

    private struct Question {
        var serial: UInt64
        /// When it left; `nil`: the connection is not there yet.
        var sent: Duration?
    }

    /// Questions out on one connection.
    package static let questionsMax = 1024

    private var state = State.closed
    private var questions: [UInt16: Question] = [:]
    private var lastSerial: UInt64 = 0
    private var lastReceived: Duration?

    package init() {}

    /// Questions that are out, in the order in which they came.
    package var waiting: [Ticket] {
        self.questions.map { Ticket(number: $0.key, serial: $0.value.serial) }.sorted { $0.serial < $1.serial }
    }

    package var isIdle: Bool { self.questions.isEmpty }

    /// Somebody asks; the number in the message is kept if nobody else has it.
    package mutating func asked(_ id: UInt16, now: Duration) -> OnQuestion {
        guard self.questions.count < Self.questionsMax else { return .refuse }
        var number = id
        while self.questions[number] != nil { number &+= 1 }
        self.lastSerial += 1
        let ticket = Ticket(number: number, serial: self.lastSerial)
        switch self.state {
        case .closed:
            self.questions[number] = Question(serial: self.lastSerial)
            self.state = .opening
            return .open(ticket)
        case .opening:
            self.questions[number] = Question(serial: self.lastSerial)
            return .wait(ticket)
        case .established:
            self.questions[number] = Question(serial: self.lastSerial, sent: now)
            return .send(ticket)
        }
    }

    /// The handshakes are over, and what waited has left.
    package mutating func established(now: Duration) {
        guard case .opening = self.state else { return }
        self.state = .established
        for number in self.questions.keys { self.questions[number]?.sent = now }
    }

    /// A message came; whose answer it is, or `nil`: nobody waits for it.
    package mutating func received(_ number: UInt16, now: Duration) -> Ticket? {
        self.lastReceived = now
        return self.questions[number].map { Ticket(number: number, serial: $0.serial) }
    }

    /// Nobody waits for the answer any more.
    package mutating func cancelled(_ ticket: Ticket) -> OnCancel {
        guard self.questions[ticket.number]?.serial == ticket.serial else { return .keep }
        self.questions[ticket.number] = nil
        return self.questions.isEmpty ? .idle : .keep
    }

    /// The time for the answer is over. If nothing at all has come since the question left, the other end may be gone
    /// without a word: what is asked on this connection would be lost, for as long as anybody asks.
    package mutating func timedOut(_ ticket: Ticket) -> OnCancel {
        let sent = self.questions[ticket.number].flatMap { $0.serial == ticket.serial ? $0.sent : nil }
        let next = self.cancelled(ticket)
        // A connection that is being opened has a limit of its own.
        guard let sent else { return next }
        if let last = self.lastReceived, last >= sent { return next }
        return .close
    }

    /// The connection is gone; whose questions are lost.
    package mutating func closed() -> [Ticket] {
        let lost = self.waiting
        self.state = .closed
        self.questions = [:]
        self.lastReceived = nil
        return lost
    }
}
