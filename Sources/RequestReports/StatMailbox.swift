internal import MeshModel

/// Reports that wait for a connection: one of each revision and name, as an older one says nothing about now.
///
/// The autoscaler counts what it hears as of the moment it hears it. All reports of a minute without a connection, sent at
/// once, would look like sixty times the load. Two that follow each other are one report, though: the first request is told
/// at once, and what comes next leaves it out.
package struct StatMailbox: Sendable {
    /// As many as a frame has room for.
    package static let revisionsMax = StatFrame.messagesMax
    /// A report and the next one are no further apart, as they come each second.
    private static let togetherMax: Duration = .milliseconds(1500)

    private struct Entry {
        var revision: ObjectID
        var stat: GatheredStat
        /// When the first report in it came.
        var since: Duration

        init(_ message: StatMessage, isEarly: Bool, at now: Duration) {
            self.revision = message.revision
            self.stat = GatheredStat(message.stat, isEarly: isEarly)
            self.since = now
        }
    }

    /// A proxy reports what waits in it for a revision, and what is in the pod of the same revision that it stands in.
    private struct Key: Hashable {
        var revision: ObjectID
        var name: String

        init(_ message: StatMessage) {
            self.revision = message.revision
            self.name = message.stat.podName
        }
    }

    private let revisionsMax: Int
    private var entries: [Key: Entry] = [:]
    /// What was taken out last, until it is known what became of it.
    private var taken: [Key: Entry] = [:]
    package private(set) var sentCount: UInt64 = 0
    /// Messages that newer ones have replaced, or that found no room.
    package private(set) var droppedCount: UInt64 = 0

    package init(revisionsMax: Int = Self.revisionsMax) { self.revisionsMax = revisionsMax }

    /// `isEarly`: it is a part that the next report which is not leaves out.
    package mutating func post(_ message: StatMessage, isEarly: Bool = false, at now: Duration) {
        let key = Key(message)
        if var known = self.entries[key] {
            // A part goes with what was told before it.
            if !isEarly, now - known.since > Self.togetherMax {
                self.droppedCount += 1
                known.stat.startOver()
                known.since = now
            }
            known.stat.add(message.stat, isEarly: isEarly)
            self.entries[key] = known
        } else if self.entries.count < self.revisionsMax {
            self.entries[key] = Entry(message, isEarly: isEarly, at: now)
        } else {
            self.droppedCount += 1
        }
    }

    /// Takes all out, to be sent.
    package mutating func takeAll() -> [StatMessage] {
        self.taken = self.entries
        self.entries = [:]
        return self.taken.values.map { StatMessage(revision: $0.revision, stat: $0.stat.whole) }
    }

    package mutating func sent(_ count: Int) {
        self.sentCount += UInt64(count)
        self.taken = [:]
    }

    /// The connection broke: what was just taken out waits again, together with what is newer.
    package mutating func notSent(_ messages: [StatMessage], at now: Duration) {
        for message in messages {
            let key = Key(message)
            var entry = self.taken[key] ?? Entry(message, isEarly: false, at: now)
            if let newer = self.entries[key] {
                entry.stat.add(newer.stat)
                entry.since = newer.since
            } else if self.entries.count < self.revisionsMax {
                entry.since = now
            } else {
                self.droppedCount += 1
                continue
            }
            self.entries[key] = entry
        }
        self.taken = [:]
    }
}
