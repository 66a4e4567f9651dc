package import DNSWire
package import MeshModel
internal import Synchronization

/// Which names an application looked up to get an address: blocked traffic is reported by the last of them, and
/// DNS-bound egress asks for all that have not expired.
///
/// Filled by the DNS server's loop and read by all others, once per connection at most. When it is full it forgets an
/// address whose names have expired, or the one that came first.
package final class RecentNames: Sendable {
    private struct Entry {
        /// For people.
        var latest: DNSName
        var given: [GivenName] = []

        mutating func take(_ name: DNSName, _ given: GivenName?) {
            self.latest = name
            guard let given else { return }
            if let known = self.given.firstIndex(where: { $0.name == given.name }) {
                // An answer that holds longer is not cut short by a later one out of a cache.
                let expires = max(self.given[known].expires, given.expires)
                self.given[known] = given
                self.given[known].expires = expires
            } else if self.given.count < RecentNames.namesMax {
                self.given.append(given)
            } else if let first = self.given.indices.min(by: { self.given[$0].expires < self.given[$1].expires }) {
                self.given[first] = given
            }
        }

        func holds(_ now: ContinuousClock.Instant) -> Bool { self.given.contains { now < $0.expires } }
    }

    private struct State {
        var entries: [IPAddress: Entry] = [:]
        /// The addresses in the order of their first coming, as a ring from `oldest` on.
        var order: [IPAddress] = []
        var oldest = 0

        mutating func addPlace(for address: IPAddress, limit: Int, _ now: ContinuousClock.Instant) {
            guard self.order.count >= limit else {
                self.order.append(address)
                return
            }
            let candidates = (0..<min(RecentNames.looksMax, limit)).map { (self.oldest + $0) % limit }
            let expired = candidates.first { !(self.entries[self.order[$0]]?.holds(now) ?? false) }
            let place = expired ?? self.oldest
            self.entries[self.order[place]] = nil
            self.order[place] = address
            if place == self.oldest { self.oldest = (self.oldest + 1) % limit }
        }
    }

    /// Names of one address: enough for hosts that share a front.
    package static let namesMax = 16
    /// Places of the ring that are looked at for an address that may go.
    private static let looksMax = 16

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: how many addresses are kept; the default takes about a megabyte.
    package init(limit: Int = 4096) {
        precondition(limit > 0)
        self.limit = limit
    }

    /// Notes that a lookup gave `address`.
    ///
    /// - Parameters:
    ///   - name: that was meant, for people.
    ///   - given: the name that was asked for and how long the answer holds; `nil`: it binds nothing.
    ///   - address: that came.
    ///   - now: what has expired by then may go first.
    package func record(
        _ name: DNSName,
        _ given: GivenName? = nil,
        for address: IPAddress,
        now: ContinuousClock.Instant = .now
    ) {
        self.state.withLock { state in
            if state.entries[address] == nil { state.addPlace(for: address, limit: self.limit, now) }
            state.entries[address, default: Entry(latest: name)].take(name, given)
        }
    }

    /// Notes what a question led to that was answered from bytes to bytes.
    ///
    /// - Parameters:
    ///   - answer: out of the table.
    ///   - ttl: seconds for which its records hold.
    func record(_ answer: QuickAnswerer.Answer, ttl: UInt32) {
        guard answer.type == .a || answer.type == .aaaa else { return }
        let entry = answer.entry
        let now = ContinuousClock.now
        // All names below a star lead to the same addresses.
        let host = entry.isWildcard ? DNSName("*")?.appending(entry.name) ?? entry.name : entry.name
        let given = GivenName(name: host, isLocal: true, ttl: ttl, at: now)
        if answer.type == .a {
            for bits in entry.v4 { self.record(entry.name, given, for: .v4(bits), now: now) }
        } else {
            for bits in entry.v6 { self.record(entry.name, given, for: .v6(high: bits.high, low: bits.low), now: now) }
        }
    }

    /// Notes what a question led to that another server has answered, so many seconds ago.
    func record(_ answer: KeptAnswer, age: UInt32) {
        guard !answer.addresses.isEmpty else { return }
        let now = ContinuousClock.now
        let ttl = answer.ttl > age ? answer.ttl - age : 0
        let given = GivenName(name: answer.name, isLocal: false, ttl: ttl, at: now)
        for address in answer.addresses { self.record(answer.name, given, for: address, now: now) }
    }

    /// The name, in lower case; `nil` if none was looked up, or long ago.
    package func name(of address: IPAddress) -> String? {
        self.state.withLock { $0.entries[address]?.latest }?.lowercased.description
    }

    /// The names that gave an address and expired less than `grace` ago.
    package func given(_ address: IPAddress, grace: Duration, now: ContinuousClock.Instant) -> [GivenName] {
        let all = self.state.withLock { $0.entries[address]?.given } ?? []
        return all.filter { now < $0.expires + grace }
    }

    package var count: Int { self.state.withLock { $0.entries.count } }
}
