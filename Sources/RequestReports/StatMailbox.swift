internal import MeshModel

/// Reports that wait for a connection: of each revision the newest, as an older one says nothing about now.
///
/// The autoscaler counts what it hears as of the moment it hears it. All reports of a minute without a connection, sent at
/// once, would look like sixty times the load.
package struct StatMailbox: Sendable {
    /// As many as a frame has room for.
    package static let revisionsMax = 10_000

    private let revisionsMax: Int
    private var messages: [ObjectID: StatMessage] = [:]
    package private(set) var sentCount: UInt64 = 0
    /// Reports that newer ones have replaced, or that found no room.
    package private(set) var droppedCount: UInt64 = 0

    package init(revisionsMax: Int = Self.revisionsMax) { self.revisionsMax = revisionsMax }

    package mutating func post(_ message: StatMessage) {
        let isNew = self.messages[message.revision] == nil
        if !isNew { self.droppedCount += 1 }
        guard !isNew || self.messages.count < self.revisionsMax else {
            self.droppedCount += 1
            return
        }
        self.messages[message.revision] = message
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
            if self.messages[message.revision] == nil, self.messages.count < self.revisionsMax {
                self.messages[message.revision] = message
            } else {
                self.droppedCount += 1
            }
        }
    }
}
