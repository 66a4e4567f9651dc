import Foundation
import NIOPosix
import PolicyEngine

/// The lines of handlers on their way to standard output, which may be slow or closed: requests do not wait for it.
struct LineOutput: Sendable {
    /// Lines that wait. A collector that stands still costs some megabytes and, from then on, lines.
    private static let linesMax = 10_000

    private let lines: AsyncStream<String>
    private let queue: AsyncStream<String>.Continuation
    private let metrics: MetricsRegistry

    init(metrics: MetricsRegistry) {
        (self.lines, self.queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.linesMax))
        self.metrics = metrics
    }

    func write(_ line: String) {
        if case .dropped = self.queue.yield(line) { self.metrics.dropped(from: "stdout", .queue) }
    }

    /// Writes until cancelled, on a thread that may block.
    func run() async {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        for await line in self.lines {
            do {
                try await pool.runIfActive { try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }
            } catch {
                self.metrics.dropped(from: "stdout", .send)
            }
        }
        // Nobody waits for the pool any more, so an error in ending it is nobody's.
        try? await pool.shutdownGracefully()
    }
}
