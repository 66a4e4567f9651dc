package import MeshModel

/// What token reviews said, for a short while: a proxy that opens three streams is looked up once.
///
/// Keyed by digests, so that a dump of memory does not show tokens. A value; time comes from outside.
package struct TokenReviewCache: Sendable {
    private struct Entry {
        var verdict: Verdict
        var until: Duration
    }

    package enum Verdict: Hashable, Sendable {
        case accepted(WorkloadID, pod: String?)
        /// With what the API server said about it.
        case refused(String)
    }

    /// A token that was revoked is refused after this time at the latest.
    package static let acceptedFor = Duration.seconds(30)
    /// A token that is not good yet, because the pod is too young, is asked for again soon.
    package static let refusedFor = Duration.seconds(2)

    private let entriesMax: Int
    private var entries: [[UInt8]: Entry] = [:]

    package init(entriesMax: Int = 4096) { self.entriesMax = entriesMax }

    package var count: Int { self.entries.count }

    package func verdict(_ digest: [UInt8], now: Duration) -> Verdict? {
        guard let entry = self.entries[digest], entry.until > now else { return nil }
        return entry.verdict
    }

    package mutating func store(_ verdict: Verdict, for digest: [UInt8], now: Duration) {
        if self.entries.count >= self.entriesMax {
            self.entries = self.entries.filter { $0.value.until > now }
            // All are fresh: whoever fills the cache so fast shall not be helped by it.
            if self.entries.count >= self.entriesMax { self.entries.removeAll(keepingCapacity: true) }
        }
        let isAccepted = if case .accepted = verdict { true } else { false }
        self.entries[digest] = Entry(verdict: verdict, until: now + (isAccepted ? Self.acceptedFor : Self.refusedFor))
    }
}
