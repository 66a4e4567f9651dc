/// Pods of a revision that are not ready yet, or have taken no connection, and which of them have been seen to take
/// connections. A value without clock or sockets.
///
/// Kubernetes tells up to seconds later that a pod is ready. Who has requests waiting asks it meanwhile.
package struct StartingPods: Sendable {
    package enum OnAnswer: Sendable, Hashable {
        /// It takes requests from now on, or again.
        case answering
        case askAgain(after: Duration)
        /// It is ready, has gone, or nobody waits for it any more.
        case nothing
    }

    /// A pod to be asked, by opening a connection.
    package struct Question: Sendable, Hashable {
        package var pod: RevisionPod
        package var address: NetworkAddress
        /// Tells it from earlier ones about the same pod, whose answers may come still.
        fileprivate var number: UInt64
    }

    private struct Entry {
        var address: NetworkAddress
        /// The question that is out.
        var question: UInt64?
        var isAnswering = false
        var askedSince: Duration?
        /// Kubernetes called it ready, and it took no connection.
        var hasRefused = false

        var isAsked: Bool { self.question != nil }
    }

    /// One that starts is asked often; one that never does costs little.
    private static let (pauseMin, pauseMax) = (Duration.milliseconds(2), Duration.milliseconds(100))

    private var entries: [RevisionPod: Entry] = [:]
    private var lastNumber: UInt64 = 0
    /// They have been ready. If Kubernetes does not call them ready any more, it has its reasons.
    private var wereReady: Set<RevisionPod> = []

    package init() {}

    /// Those that are asked now.
    package var asked: Set<RevisionPod> { Set(self.entries.filter(\.value.isAsked).keys) }

    /// Not ready, but they take connections.
    package var answering: Set<RevisionPod> { Set(self.entries.filter(\.value.isAnswering).keys) }

    /// All pods there are: those that are ready, and those that are not, with the address to ask.
    package mutating func changed(ready: Set<RevisionPod>, others: [RevisionPod: NetworkAddress]) {
        self.wereReady = ready.union(self.wereReady.filter { others[$0] != nil })
        var entries: [RevisionPod: Entry] = [:]
        for (pod, address) in others where !self.wereReady.contains(pod) {
            let known = self.entries[pod]
            entries[pod] = known?.address == address ? known : Entry(address: address)
        }
        self.entries = entries
    }

    /// A pod took no connection, though it had been called ready, or had answered: it is asked as one that starts. It is not
    /// until the pods change if it is not known where.
    package mutating func refused(_ pod: RevisionPod, at address: @autoclosure () -> NetworkAddress?) {
        if self.entries[pod] != nil {
            self.entries[pod]?.isAnswering = false
        } else if let address = address() {
            self.entries[pod] = Entry(address: address, hasRefused: true)
        }
    }

    /// Pods that took no connection are tried again by requests, but for those that are asked.
    package mutating func forgiven() { self.entries = self.entries.filter { !$1.hasRefused || $1.isAsked } }

    /// Somebody waits: gives the pods that have to be asked and are not.
    package mutating func questions(at now: Duration) -> [Question] {
        var questions: [Question] = []
        for (pod, entry) in self.entries where !entry.isAsked && !entry.isAnswering {
            self.lastNumber += 1
            self.entries[pod]?.question = self.lastNumber
            self.entries[pod]?.askedSince = entry.askedSince ?? now
            questions.append(Question(pod: pod, address: entry.address, number: self.lastNumber))
        }
        return questions
    }

    /// A connection has been made, or not. `isWanted`: somebody still waits.
    package mutating func answered(_ question: Question, takes: Bool, isWanted: Bool, at now: Duration) -> OnAnswer {
        guard let entry = self.entries[question.pod], entry.question == question.number else { return .nothing }
        if takes || !isWanted {
            self.entries[question.pod]?.question = nil
            self.entries[question.pod]?.isAnswering = takes
            if takes { self.entries[question.pod]?.askedSince = nil }
            if entry.hasRefused { self.entries[question.pod] = nil }
            return takes ? .answering : .nothing
        }
        let waited = now - (entry.askedSince ?? now)
        return .askAgain(after: min(max(Self.pauseMin, waited / 50), Self.pauseMax))
    }
}
