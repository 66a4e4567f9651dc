import Dispatch
import Foundation

/// Turns SIGTERM and SIGINT, and `/quitquitquit`, into an event.
final class StopSignal: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(4))
    }

    /// Says that the process shall end.
    func send(_ reason: String) { self.continuation.yield(reason) }

    /// Says that the process shall end once nobody holds the other end of its standard input.
    func sendWhenInputEnds() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { return self.send("the supervisor has gone") }
            }
        }
    }

    /// Waits until the process shall end; says why. A second signal ends it at once.
    func wait() async -> String {
        let sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            // Without this the signal would end the process before anybody hears of it.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { self.send(name) }
            source.resume()
            return source
        }
        var reason = "cancelled"
        for await received in self.stream {
            reason = received
            break
        }
        for source in sources { source.cancel() }
        for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) }
        return reason
    }
}
