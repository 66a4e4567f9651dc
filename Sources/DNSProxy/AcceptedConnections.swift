internal import NIOCore

/// The connections that a listener has accepted, up to a limit, so that they can be closed with it. All of them live on
/// one event loop.
final class AcceptedConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }

    private let eventLoop: any EventLoop
    private let max: Int
    private let state: NIOLoopBoundBox<State>

    init(_ eventLoop: any EventLoop, max: Int) {
        self.eventLoop = eventLoop
        self.max = max
        self.state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Counts a connection until it ends; on the event loop.
    ///
    /// - Returns: whether it may stay.
    func take(_ channel: any Channel) -> Bool {
        guard !self.state.value.isClosed, self.state.value.channels.count < self.max else { return false }
        let id = ObjectIdentifier(channel)
        self.state.value.channels[id] = channel
        channel.closeFuture.whenComplete { _ in self.state.value.channels[id] = nil }
        return true
    }

    /// Closes all that are open, and those that are still on their way; returns when they are closed.
    func closeAll() async {
        let closing = self.eventLoop.submit {
            self.state.value.isClosed = true
            return self.state.value.channels.values.map { channel in
                channel.close(promise: nil)
                return channel.closeFuture
            }
        }
        // A loop that is gone has no connections.
        for end in (try? await closing.get()) ?? [] { try? await end.get() }
    }
}
