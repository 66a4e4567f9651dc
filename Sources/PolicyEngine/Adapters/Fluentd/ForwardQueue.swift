package import NIOCore

/// Log entries on their way to a server of the Forward protocol, made into batches of one tag. It knows no socket.
package struct ForwardQueue: Sendable {
    /// Entries of one tag, with the bytes to send and what the server says when it has them.
    package struct Batch: Sendable, Hashable {
        package var count: Int
        package var message: ByteBuffer
        package var acknowledgement: ByteBuffer
    }

    /// Batches' worth of bytes that wait.
    private static let batchesMax = 8

    private let entriesMax: Int
    private let batchBytesMax: Int
    private var entries: [(tag: String, bytes: ByteBuffer)] = []
    private var bytes = 0

    package init(entriesMax: Int, batchBytesMax: Int) {
        self.entriesMax = entriesMax
        self.batchBytesMax = batchBytesMax
    }

    package enum OnEntry: Sendable, Hashable {
        case kept
        /// There is enough for a batch.
        case batchReady
        case tooLarge
        case queueFull
    }

    /// Adds an entry: a moment and a record, as bytes.
    package mutating func add(_ bytes: ByteBuffer, tag: String) -> OnEntry {
        guard bytes.readableBytes <= self.batchBytesMax else { return .tooLarge }
        guard self.entries.count < self.entriesMax, self.bytes < Self.batchesMax * self.batchBytesMax else {
            return .queueFull
        }
        self.entries.append((tag, bytes))
        self.bytes += bytes.readableBytes
        return self.bytes >= self.batchBytesMax ? .batchReady : .kept
    }

    package var count: Int { self.entries.count }

    /// Takes the oldest entry with all that have its tag, up to a batch; `nil` if there is none. `name` is the batch's
    /// own, which the server repeats.
    package mutating func batch(name: String) -> Batch? {
        guard let tag = self.entries.first?.tag else { return nil }
        var taken: [ByteBuffer] = []
        var rest: [(tag: String, bytes: ByteBuffer)] = []
        var size = 0
        for entry in self.entries {
            if entry.tag == tag, size + entry.bytes.readableBytes <= self.batchBytesMax {
                taken.append(entry.bytes)
                size += entry.bytes.readableBytes
            } else {
                rest.append(entry)
            }
        }
        self.entries = rest
        self.bytes -= size
        // [tag, [[time, record], …], {"size": …, "chunk": …}]
        var message = ByteBuffer()
        MessagePack.listHead(3, to: &message)
        MessagePack.text(tag).write(to: &message)
        MessagePack.listHead(taken.count, to: &message)
        for var bytes in taken { message.writeBuffer(&bytes) }
        MessagePack.map([("size", .number(Int64(taken.count))), ("chunk", .text(name))]).write(to: &message)
        return Batch(
            count: taken.count,
            message: message,
            acknowledgement: MessagePack.map([("ack", .text(name))]).bytes
        )
    }
}
