/// When a connection is made again after one that has ended.
package struct Reconnection: Sendable, Hashable {
    /// Whoever waits for a pod waits so many milliseconds longer after an interruption; by chance, so that not all come at once.
    package var pause = 100...1000
    /// The most that is left of a pause, in milliseconds, when there is something to say.
    package var pauseCut = 25...50
    /// A connection that lasted so long has worked: the other side has restarted, or another one is there. One that ends
    /// earlier may do so again and again.
    package var lastedMin: Duration = .seconds(1)

    package init() {}

    /// How long to wait after a connection that lasted so long; `nil`: none was made.
    package func pause(after lasted: Duration?) -> Duration {
        if let lasted, lasted >= self.lastedMin { return .zero }
        return .milliseconds(Int.random(in: self.pause))
    }

    /// How long to wait still when something is to be said.
    package func rest() -> Duration { .milliseconds(Int.random(in: self.pauseCut)) }
}
