package import Foundation
import Glibc
import Synchronization

/// The output of one run of a container: a line per line, each with its time and stream.
///
/// Lines look as the container runtime interface writes them: `2018-07-01T10:00:00.000000000Z stdout F text`; `P` marks
/// a piece of a line that is longer than `lineBytesMax`. A file that grows past `fileBytesMax` becomes `….1`, and the one
/// that had this name before goes, so a container never keeps more than twice that.
package final class ContainerLog: Sendable {
    package enum Stream: String { case stdout, stderr }

    package static let lineBytesMax = 16 << 10
    package static let fileBytesMax = 8 << 20

    package let file: URL
    private let state: Mutex<State>

    private struct State {
        package var descriptor: Int32
        package var size: Int
        /// Counts rotations.
        package var generation = 0
        package var isClosed = false
        package var partial: [String: [UInt8]] = [:]
        package var followers: [Int: AsyncStream<Void>.Continuation] = [:]
        package var nextFollower = 0
    }

    /// Opens the file for appending, and makes its folder.
    package init(file: URL) throws {
        self.file = file
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw SpawnError(program: file.path, step: "open the log", errorNumber: errno) }
        self.state = Mutex(State(descriptor: descriptor, size: Int(lseek(descriptor, 0, SEEK_END))))
    }

    deinit {
        self.state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } }
    }

    package static func rotated(_ file: URL) -> URL { file.appendingPathExtension("1") }

    /// Adds what a container wrote.
    package func append(_ bytes: some Collection<UInt8>, stream: Stream) {
        let followers = self.state.withLock { state in
            var line = state.partial.removeValue(forKey: stream.rawValue) ?? []
            let time = Self.now()
            var text: [UInt8] = []
            var rest = Array(bytes)[...]
            while !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "\n"))
                let piece = rest[..<(end ?? rest.endIndex)].prefix(Self.lineBytesMax - line.count)
                line += piece
                rest = rest[piece.endIndex...]
                if rest.startIndex == end {
                    text += Self.record(time, stream, "F", line)
                    line.removeAll(keepingCapacity: true)
                    rest = rest.dropFirst()
                } else if line.count == Self.lineBytesMax {
                    text += Self.record(time, stream, "P", line)
                    line.removeAll(keepingCapacity: true)
                }
            }
            if !line.isEmpty { state.partial[stream.rawValue] = line }
            self.write(text, &state)
            return Array(state.followers.values)
        }
        for follower in followers { follower.yield() }
    }

    /// The container has ended: what is left of its last lines is written, and followers end.
    package func finish() {
        let followers = self.state.withLock { state in
            for (name, line) in state.partial.sorted(by: { $0.key < $1.key }) {
                guard let stream = Stream(rawValue: name) else { continue }
                self.write(Self.record(Self.now(), stream, "F", line), &state)
            }
            state.partial = [:]
            state.isClosed = true
            defer { state.followers = [:] }
            return Array(state.followers.values)
        }
        for follower in followers { follower.finish() }
    }

    /// Wakes after each piece that was added; ends when the container does.
    package func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id: Int? = self.state.withLock { state in
            if state.isClosed { return nil }
            defer { state.nextFollower += 1 }
            state.followers[state.nextFollower] = continuation
            return state.nextFollower
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.followers[id] = nil } }
        return stream
    }

    package var generation: Int { self.state.withLock { $0.generation } }
    package var isClosed: Bool { self.state.withLock { $0.isClosed } }

    private func write(_ bytes: [UInt8], _ state: inout State) {
        guard !bytes.isEmpty, state.descriptor >= 0 else { return }
        if state.size + bytes.count > Self.fileBytesMax {
            rename(self.file.path, Self.rotated(self.file).path)
            close(state.descriptor)
            state.descriptor = open(self.file.path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o640)
            state.size = 0
            state.generation += 1
        }
        // A full disk loses log lines; it must not stop the container.
        let count = bytes.withUnsafeBytes { Glibc.write(state.descriptor, $0.baseAddress, $0.count) }
        state.size += max(0, count)
    }

    private static func record(_ time: String, _ stream: Stream, _ flag: String, _ line: [UInt8]) -> [UInt8] {
        Array("\(time) \(stream.rawValue) \(flag) ".utf8) + line + [UInt8(ascii: "\n")]
    }

    /// The present moment with nanoseconds, RFC 3339 in UTC.
    package static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return ClockText.text(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }
}
