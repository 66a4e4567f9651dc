import Dispatch
import Glibc

/// Turns SIGTERM and SIGINT, and `/quitquitquit`, into an event.
final class StopSignal: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(4))
    }

    /// Says that the process shall end.
    func send(_ reason: String) { self.continuation.yield(reason) }

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
