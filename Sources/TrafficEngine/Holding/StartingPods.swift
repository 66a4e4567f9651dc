/// Pods of a revision that are not ready yet, and which of them have been seen to take connections. A value without clock
/// or sockets.
///
/// Kubernetes tells up to seconds later that a pod is ready. Who has requests waiting asks it meanwhile.
package struct StartingPods: Sendable {
    package enum OnAnswer: Sendable, Hashable {
        /// It takes requests from now on.
        case answering
        case askAgain(after: Duration)
        /// It is ready, has gone, or nobody waits for it any more.
        case nothing
    }

    /// A pod to be asked, by opening a connection.
    package struct Question: Sendable, Hashable {
        package var pod: RevisionPod
        package var address: NetworkAddress
    }

    private struct Entry {
        var address: NetworkAddress
        var isAsked = false
        var isAnswering = false
        var askedSince: Duration?
    }

    /// One that starts is asked often; one that never does costs little.
    private static let (pauseMin, pauseMax) = (Duration.milliseconds(2), Duration.milliseconds(100))

    private var entries: [RevisionPod: Entry] = [:]
    /// They have been ready. If Kubernetes does not call them ready any more, it has its reasons.
    private var wereReady: Set<RevisionPod> = []

    package init() {}

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

    /// Somebody waits: gives the pods that have to be asked and are not.
    package mutating func questions(at now: Duration) -> [Question] {
        var questions: [Question] = []
        for (pod, entry) in self.entries where !entry.isAsked && !entry.isAnswering {
            self.entries[pod]?.isAsked = true
            self.entries[pod]?.askedSince = entry.askedSince ?? now
            questions.append(Question(pod: pod, address: entry.address))
        }
        return questions
    }

    /// A connection has been made, or not. `isWanted`: somebody still waits.
    package mutating func answered(_ question: Question, takes: Bool, isWanted: Bool, at now: Duration) -> OnAnswer {
        guard let entry = self.entries[question.pod], entry.address == question.address, entry.isAsked else {
            return .nothing
        }
        if takes || !isWanted {
            self.entries[question.pod]?.isAsked = false
            self.entries[question.pod]?.isAnswering = takes
            return takes ? .answering : .nothing
        }
        let waited = now - (entry.askedSince ?? now)
        return .askAgain(after: min(max(Self.pauseMin, waited / 50), Self.pauseMax))
    }
}
