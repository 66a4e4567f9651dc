internal import MeshModel

/// Reports that wait for a connection: of each revision and name the newest, as an older one says nothing about now.
///
/// The autoscaler counts what it hears as of the moment it hears it. All reports of a minute without a connection, sent at
/// once, would look like sixty times the load.
package struct StatMailbox: Sendable {
    /// As many as a frame has room for.
    package static let revisionsMax = 10_000

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
    private var messages: [Key: StatMessage] = [:]
    package private(set) var sentCount: UInt64 = 0
    /// Reports that newer ones have replaced, or that found no room.
    package private(set) var droppedCount: UInt64 = 0

    package init(revisionsMax: Int = Self.revisionsMax) { self.revisionsMax = revisionsMax }

    package mutating func post(_ message: StatMessage) {
        let key = Key(message)
        let isNew = self.messages[key] == nil
        if !isNew { self.droppedCount += 1 }
        guard !isNew || self.messages.count < self.revisionsMax else {
            self.droppedCount += 1
            return
        }
        self.messages[key] = message
    }

    /// Takes all out, to be sent.
    package mutating func takeAll() -> [StatMessage] {
        defer { self.messages = [:] }
        return self.messages.values.map(\.self)
    }

    package mutating func sent(_ count: Int) { self.sentCount += UInt64(count) }

    /// The connection broke: what was taken out waits again, unless there is something newer.
    package mutating func notSent(_ messages: [StatMessage]) {
        for message in messages {
            let key = Key(message)
            if self.messages[key] == nil, self.messages.count < self.revisionsMax {
                self.messages[key] = message
            } else {
                self.droppedCount += 1
            }
        }
    }
}
