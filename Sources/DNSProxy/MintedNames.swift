internal import DNSWire
package import MeshModel
internal import Synchronization

/// Names under wildcards and the addresses that this proxy gave them: written when a name is looked up, read when a
/// connection comes.
///
/// Shared by the loop that answers and the loops that forward. A lock is taken for lookups under a wildcard and for
/// connections to addresses of the ranges; nobody else passes here.
package final class MintedNames: Sendable {
    /// What becomes of a question.
    enum Plan {
        /// No wildcard has to do with it.
        case unrelated
        /// Answer this.
        case records([DNSRecord])
        /// There is a name under a wildcard, and what was asked of it is nobody's business (facts #11).
        case noData(authority: DNSRecord)
        /// Ask for `name` elsewhere; if it has addresses, ``MintedNames/minted(_:_:aliases:)`` says the answer.
        case ask(DNSName, aliases: [DNSRecord])
    }

    private struct State {
        var table: MintTable
        var search: [DNSName] = []
        var refused: UInt64 = 0
    }

    /// How long clients may keep answers, in seconds.
    private let ttl: UInt32

    private let state: Mutex<State>
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - search: the search domains of who asks.
    ///   - ttl: how long clients may keep answers, in seconds.
    ///   - table: with its limits; one that keeps addresses longer than clients do.
    package init(search: [String] = [], ttl: UInt32 = DNSTable.ttl, table: MintTable? = nil) {
        self.ttl = ttl
        var state = State(table: table ?? MintTable(keepTime: MintTable.keepTime(ttl: ttl)))
        state.search = Self.sorted(search)
        self.state = Mutex(state)
    }

    /// Who asks has other search domains now.
    package func use(search: [String]) { self.state.withLock { $0.search = Self.sorted(search) } }

    /// The longest first, so that nothing is left of one that ends in another.
    private static func sorted(_ search: [String]) -> [DNSName] {
        search.compactMap { DNSName($0)?.lowercased }.sorted { $0.wire.count > $1.wire.count }
    }

    /// Follows the wildcards of a new configuration: each a name with a star in front.
    ///
    /// - Returns: whether they are others than before.
    @discardableResult
    package func use(wildcards: [String], v4: CIDR?, v6: CIDR?) -> Bool {
        let suffixes = Set(wildcards.compactMap { DNSName($0)?.lowercased }.filter(\.isWildcard).compactMap(\.parent))
        let rules = MintTable.Rules(suffixes: suffixes, v4: v4, v6: v6)
        return self.state.withLock { state in
            guard state.table.rules != rules else { return false }
            state.table.use(rules)
            return true
        }
    }

    /// The name that a connection to an address means; the connection counts until ``connectionClosed(_:)``.
    package func connectionOpened(_ address: IPAddress) -> String? {
        self.state.withLock { $0.table.opened(address, now: self.now) }
    }

    package func connectionClosed(_ address: IPAddress) {
        self.state.withLock { $0.table.closed(address, now: self.now) }
    }

    package var lines: [MintTable.Line] { self.state.withLock { $0.table.lines(now: self.now) } }

    /// Names with addresses, connections to them, and lookups that got none for want of room.
    package var counts: (names: Int, connections: Int, refused: UInt64) {
        self.state.withLock { ($0.table.count, $0.table.connections, $0.refused) }
    }

    // MARK: Questions

    func plan(_ question: DNSQuestion) -> Plan {
        self.state.withLock { state in
            if let plan = self.reversePlan(question, state.table) { return plan }
            if state.table.rules.suffixes.isEmpty { return .unrelated }
            if state.table.covers(question.name) { return self.plan(question, question.name, aliases: [], &state) }
            for suffix in state.search {
                guard let base = question.name.dropping(suffix: suffix), state.table.covers(base) else { continue }
                // The client gets alias and address at once and does not try its other search domains.
                let alias = DNSRecord(name: question.name, ttl: self.ttl, data: .cname(base))
                return self.plan(question, base, aliases: [alias], &state)
            }
            return .unrelated
        }
    }

    /// What to answer now that the name is known to have addresses; `nil` if there is no room for one more.
    func minted(_ name: DNSName, _ type: DNSType, aliases: [DNSRecord]) -> [DNSRecord]? {
        self.state.withLock { state in
            guard let addresses = state.table.mint(name, now: self.now) else {
                state.refused += 1
                return nil
            }
            return aliases + addresses.records(name, type, self.ttl)
        }
    }

    /// Addresses of our ranges are nobody's outside of this proxy, so nobody else is asked whose they are.
    private func reversePlan(_ question: DNSQuestion, _ table: MintTable) -> Plan? {
        guard let address = DNSTable.address(reverse: question.name), table.isOfRanges(address) else { return nil }
        guard question.type == .ptr || question.type == .any, let name = table.name(of: address) else {
            return .noData(authority: DNSTable.authority(question.name))
        }
        return .records([DNSRecord(name: question.name, ttl: self.ttl, data: .ptr(name))])
    }

    private func plan(_ question: DNSQuestion, _ name: DNSName, aliases: [DNSRecord], _ state: inout State) -> Plan {
        switch question.type {
        case .a, .aaaa:
            if let known = state.table.known(name, now: self.now) {
                return .records(aliases + known.records(name, question.type, self.ttl))
            }
            return .ask(name, aliases: aliases)
        // They may carry addresses that lead past the proxy. Whoever asks for anything asks for addresses among others,
        // and may be told less (RFC 8482 section 4).
        case .https, .svcb, .any: return .noData(authority: DNSTable.authority(name))
        default: return .unrelated
        }
    }

    private var now: Duration { ContinuousClock.now - self.start }
}

extension MintTable.Addresses {
    fileprivate func records(_ name: DNSName, _ type: DNSType, _ ttl: UInt32) -> [DNSRecord] {
        if type == .a, let bits = self.v4 { return [DNSRecord(name: name, ttl: ttl, data: .a(bits))] }
        if type == .aaaa, let bits = self.v6 {
            return [DNSRecord(name: name, ttl: ttl, data: .aaaa(high: bits.high, low: bits.low))]
        }
        return []
    }
}
