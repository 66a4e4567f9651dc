package import MeshModel

/// What is known of names that are dialled: a value that is told the time and asks nobody.
///
/// One question at a time for each name. An answer that is out of date serves until there is a better one, and no answer
/// is no news (facts #3); that there is no address is one.
package struct NamedAnswers {
    private struct Entry {
        var addresses: [IPAddress] = []
        /// The tick at which to ask again; `nil`: never answered.
        var freshUntil: Int?
        var isAsking = false
        var next = 0
        var lastUse: Int
    }

    package enum Choice: Hashable {
        case address(IPAddress)
        /// The answer has not come.
        case unresolved
        /// Nobody knows an address.
        case none
    }

    private let entriesMax: Int
    private var entries: [String: Entry] = [:]

    /// So many names are kept at a time; the one that was not used for the longest time makes room.
    package init(entriesMax: Int = 1024) { self.entriesMax = max(1, entriesMax) }

    package var count: Int { self.entries.count }

    /// The next address of a name.
    ///
    /// - Parameters:
    ///   - name: in lower case.
    ///   - now: the current tick.
    /// - Returns: the choice, and whether the caller is to look the name up and call ``answered(_:_:ttl:now:)``.
    package mutating func choose(_ name: String, now: Int) -> (choice: Choice, asks: Bool) {
        if self.entries[name] == nil { self.makeRoom() }
        var entry = self.entries[name] ?? Entry(lastUse: now)
        defer { self.entries[name] = entry }
        entry.lastUse = now
        let isFresh = entry.freshUntil.map { now < $0 } ?? false
        let asks = !isFresh && !entry.isAsking
        if asks { entry.isAsking = true }
        guard !entry.addresses.isEmpty else { return (isFresh ? .none : .unresolved, asks) }
        entry.next = (entry.next + 1) % entry.addresses.count
        return (.address(entry.addresses[entry.next]), asks)
    }

    /// A question has ended; `ttl` says when to ask again at the earliest.
    package mutating func answered(_ name: String, _ answer: ResolvedName, now: Int) {
        guard var entry = self.entries[name] else { return }
        entry.isAsking = false
        if !answer.addresses.isEmpty || answer.isDenied { entry.addresses = answer.addresses }
        let pause = max(answer.ttl ?? .seconds(answer.addresses.isEmpty ? 1 : 5), .seconds(1))
        entry.freshUntil = Tick.after(pause, now: now)
        self.entries[name] = entry
    }

    private mutating func makeRoom() {
        guard self.entries.count >= self.entriesMax else { return }
        let idle = self.entries.filter { !$0.value.isAsking }
        if let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) { self.entries[oldest.key] = nil }
    }
}
