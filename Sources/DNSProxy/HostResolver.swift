import MeshModel
import Synchronization

/// Looks up the host names of a proxy's clusters, in the cache that the workload's own lookups fill as well.
package final class HostResolver: Sendable {
    private let forwarder: DNSForwarder
    private let lastGood = Mutex(LastGoodAddresses())
    private let start = ContinuousClock.now

    package init(forwarder: DNSForwarder) { self.forwarder = forwarder }

    /// Addresses of a name and how long they hold; without any: there are none, or nobody has ever answered.
    package func addresses(of name: String) async -> LastGoodAddresses.Answer {
        if let address = IPAddress(name) {
            return LastGoodAddresses.Answer(addresses: [address], ttl: .seconds(86_400))
        }
        let outcome: LastGoodAddresses.Outcome
        do {
            let found = try await self.forwarder.addresses(of: name)
            outcome = .found(found.addresses, ttl: found.ttl)
        } catch {
            switch error {
            case .notFound(let ttl): outcome = .notFound(ttl: ttl)
            case .badName: outcome = .notFound(ttl: .seconds(60))
            case .failed: outcome = .failed
            }
        }
        let now = ContinuousClock.now - self.start
        return self.lastGood.withLock {
            $0.answered(name, outcome, now: now, jitter: Double.random(in: 0...1))
        }
    }
}
