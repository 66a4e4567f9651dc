internal import Synchronization

/// The table that is in force: set by whoever learns of names, read by all that answer.
///
/// Readers take it for a batch of questions and let it go again, so that a large table is taken apart by whoever
/// replaced it and not by them.
package final class CurrentTable: Sendable {
    /// One reference for a whole table.
    package final class Held: Sendable {
        package let table: DNSTable
        /// Which table this is, among all that were in force here.
        package let number: UInt64

        init(_ table: DNSTable, number: UInt64) {
            self.table = table
            self.number = number
        }
    }

    private let state: Mutex<Held>

    package init(_ table: DNSTable) { self.state = Mutex(Held(table, number: 0)) }

    package var held: Held { self.state.withLock { $0 } }

    /// Puts a table into force: whoever asks from now on is answered out of it.
    package func set(_ table: DNSTable) {
        // The old one is let go outside of the lock.
        withExtendedLifetime(
            self.state.withLock { state in
                let old = state
                state = Held(table, number: old.number + 1)
                return old
            }
        ) {}
    }

    /// Puts what `body` makes of the table into force, unless that is nothing.
    ///
    /// - Returns: whether it is another table now.
    package func change(_ body: (DNSTable) -> DNSTable?) -> Bool {
        self.state.withLock { state in
            guard let table = body(state.table) else { return false }
            state = Held(table, number: state.number + 1)
            return true
        }
    }

    /// The same table counts as another one: answers of other servers that were noted under it no longer hold.
    package func renumber() {
        self.state.withLock { $0 = Held($0.table, number: $0.number + 1) }
    }
}
