package import Foundation
import Glibc
import KubernetesAPI
package import LocalAPIServer
package import NIOCore

/// Reads the lines of a container's log as `kubectl logs` wants them.
package struct LogReader {
    package var timestamps: Bool
    /// Lines older than this many seconds since 1970 are left out.
    package var since: Int64?

    package init(
        timestamps: Bool,
        since: Int64?
    ) {
        self.timestamps = timestamps
        self.since = since
    }

    /// One line of a log file as text for the client; `nil` if it is left out.
    package func line(_ record: Substring) -> String? {
        let parts = record.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        if let since, let time = KubernetesTime.seconds(String(parts[0])), time < since { return nil }
        let text = (self.timestamps ? "\(parts[0]) " : "") + parts[3]
        return parts[2] == "F" ? text + "\n" : text
    }

    /// The last `tail` lines (all if `nil`) of a log on disk, the rotated part first.
    package func tail(_ file: URL, lines tail: Int?) -> String {
        var all: [String] = []
        for part in [ContainerLog.rotated(file), file] {
            guard let data = try? Data(contentsOf: part) else { continue }
            let text = String(decoding: data, as: UTF8.self)
            for record in text.split(separator: "\n") { if let line = self.line(record) { all.append(line) } }
        }
        return (tail.map { Array(all.suffix($0)) } ?? all).joined()
    }

    /// The log of a run, and with `follow` what is added to it until the container ends.
    package func stream(_ log: ContainerLog, request: PodLogRequest) -> AsyncThrowingStream<ByteBuffer, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: ByteBuffer.self)
        let changes = log.changes()
        var cursor = Cursor(file: log.file, generation: log.generation)
        let start = self.tail(log.file, lines: request.tailLines)
        cursor.skipToEnd()
        let reader = self
        // The stream's consumer owns this task: it is cancelled when the client goes.
        let task = Task {
            if !start.isEmpty { continuation.yield(ByteBuffer(string: start)) }
            for await _ in changes {
                let text = cursor.rest(generation: log.generation).split(separator: "\n").compactMap(reader.line)
                    .joined()
                if !text.isEmpty { continuation.yield(ByteBuffer(string: text)) }
            }
            let text = cursor.rest(generation: log.generation).split(separator: "\n").compactMap(reader.line).joined()
            if !text.isEmpty { continuation.yield(ByteBuffer(string: text)) }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// A place in a log that is being written and may be rotated meanwhile.
    private struct Cursor: Sendable {
        package let file: URL
        package var generation: Int
        package var offset: UInt64 = 0

        package mutating func skipToEnd() {
            let size = try? FileManager.default.attributesOfItem(atPath: self.file.path)[.size] as? UInt64
            self.offset = size ?? 0
        }

        package mutating func rest(generation: Int) -> String {
            var text = ""
            if generation != self.generation {
                text = Self.read(ContainerLog.rotated(self.file), from: &self.offset)
                self.generation = generation
                self.offset = 0
            }
            return text + Self.read(self.file, from: &self.offset)
        }

        private static func read(_ file: URL, from offset: inout UInt64) -> String {
            guard let handle = try? FileHandle(forReadingFrom: file) else { return "" }
            defer { try? handle.close() }
            guard (try? handle.seek(toOffset: offset)) != nil, let data = try? handle.readToEnd() else { return "" }
            offset += UInt64(data.count)
            return String(decoding: data, as: UTF8.self)
        }
    }
}
