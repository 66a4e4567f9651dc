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
        var message: StatMessage
        /// When the first report in it came.
        var since: Duration
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
    package private(set) var sentCount: UInt64 = 0
    /// Messages that newer ones have replaced, or that found no room.
    package private(set) var droppedCount: UInt64 = 0

    package init(revisionsMax: Int = Self.revisionsMax) { self.revisionsMax = revisionsMax }

    package mutating func post(_ message: StatMessage, at now: Duration) {
        let key = Key(message)
        if let known = self.entries[key] {
            if now - known.since <= Self.togetherMax {
                self.entries[key]?.message.stat.add(message.stat)
            } else {
                self.droppedCount += 1
                self.entries[key] = Entry(message: message, since: now)
            }
        } else if self.entries.count < self.revisionsMax {
            self.entries[key] = Entry(message: message, since: now)
        } else {
            self.droppedCount += 1
        }
    }

    /// Takes all out, to be sent.
    package mutating func takeAll() -> [StatMessage] {
        defer { self.entries = [:] }
        return self.entries.values.map(\.message)
    }

    package mutating func sent(_ count: Int) { self.sentCount += UInt64(count) }

    /// The connection broke: what was just taken out waits again, together with what is newer.
    package mutating func notSent(_ messages: [StatMessage], at now: Duration) {
        for message in messages {
            let key = Key(message)
            guard let newer = self.entries[key] else {
                self.post(message, at: now)
                continue
            }
            var together = message
            together.stat.add(newer.message.stat)
            self.entries[key]?.message = together
        }
    }
}

extension Stat {
    /// Takes the next report in: of what was in flight the more, of what began all.
    fileprivate mutating func add(_ next: Stat) {
        self.processUptime = next.processUptime
        self.requestCount += next.requestCount
        self.proxiedRequestCount += next.proxiedRequestCount
        if next.value(of: .concurrency) > self.value(of: .concurrency) {
            self.averageConcurrentRequests = next.averageConcurrentRequests
            self.averageProxiedConcurrentRequests = next.averageProxiedConcurrentRequests
        }
    }
}
