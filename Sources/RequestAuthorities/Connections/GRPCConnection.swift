internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Synchronization
internal import TrafficEngine

/// One connection to an endpoint. When it has ended, the next question opens another.
final class GRPCConnection: Sendable {
    private struct Life {
        var calls = 0
        var isRetired = false

        var isOver: Bool { self.isRetired && self.calls == 0 }
    }

    let client: GRPCConnections.Client
    /// What it was secured with.
    let settings: ClientTLS?
    private let life = Mutex(Life())

    init(client: GRPCConnections.Client, settings: ClientTLS?) {
        self.client = client
        self.settings = settings
    }

    func callBegan() { self.life.withLock { $0.calls += 1 } }

    func callEnded() {
        let isOver = self.life.withLock { life in
            life.calls -= 1
            return life.isOver
        }
        if isOver { self.client.beginGracefulShutdown() }
    }

    /// Closes it, once nobody waits for an answer: the transport would forget calls that the server has not let begin.
    func retire() {
        let isOver = self.life.withLock { life in
            life.isRetired = true
            return life.isOver
        }
        if isOver { self.client.beginGracefulShutdown() }
    }
}
