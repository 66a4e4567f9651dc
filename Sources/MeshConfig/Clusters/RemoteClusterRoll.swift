/// How well each of the other clusters is known, and which of them the first snapshot still waits for.
///
/// Each connection has a number; what one of them says after a newer one has begun counts for nothing.
package struct RemoteClusterRoll: Sendable {
    private struct Entry {
        var connection: UInt64
        var status: RemoteClusterStatus
        /// Nothing can come of the connection.
        var isHopeless = false
    }

    private var entries: [String: Entry] = [:]
    private var connections: UInt64 = 0
    /// Clusters that the first snapshot waits for; `nil`: it is not known yet which there are.
    private var awaited: Set<String>?

    package init() {}

    /// By name.
    package var statuses: [RemoteClusterStatus] { self.entries.values.map(\.status).sorted { $0.name < $1.name } }

    /// Whether nobody is waited for any more.
    package var isSettled: Bool { self.awaited?.isEmpty ?? false }

    /// It is known which clusters there are.
    package mutating func known(_ names: some Sequence<String>) {
        guard self.awaited == nil else { return }
        self.awaited = Set(names).filter { name in
            guard let entry = self.entries[name] else { return true }
            return !entry.isHopeless && !entry.status.isKnown
        }
    }

    /// A new connection to a cluster begins; what was known of it stays in use, so it stays known.
    ///
    /// - Returns: its number.
    package mutating func begun(_ name: String, secret: String) -> UInt64 {
        self.connections += 1
        var status = RemoteClusterStatus(name: name, secret: secret)
        if let before = self.entries[name]?.status { status.takeOver(before) }
        self.entries[name] = Entry(connection: self.connections, status: status)
        return self.connections
    }

    package mutating func removed(_ name: String) {
        self.entries[name] = nil
        self.awaited?.remove(name)
    }

    package mutating func found(server: String, of name: String, connection: UInt64) {
        guard self.entries[name]?.connection == connection else { return }
        self.entries[name]?.status.server = server
    }

    /// All objects of a kind are known.
    ///
    /// - Returns: whether that was the last kind, so that the cluster is part of the mesh from now on.
    package mutating func synced(_ kind: MeshKind, of name: String, connection: UInt64) -> Bool {
        guard var entry = self.entries[name], entry.connection == connection, !entry.status.isKnown else {
            return false
        }
        entry.status.synced(kind)
        self.entries[name] = entry
        if entry.status.isKnown { self.awaited?.remove(name) }
        return entry.status.isKnown
    }

    /// The server does not answer, which may be over soon: the cluster is waited for all the same.
    ///
    /// - Returns: whether that is news.
    package mutating func failed(_ name: String, _ fault: String, connection: UInt64) -> Bool {
        guard let entry = self.entries[name], entry.connection == connection else { return false }
        self.entries[name]?.status.fault = fault
        return entry.status.fault == nil
    }

    /// Nothing can come of this connection, so nobody waits for it.
    ///
    /// - Returns: whether that is news.
    package mutating func gaveUp(_ name: String, _ fault: String, connection: UInt64) -> Bool {
        guard self.entries[name]?.connection == connection else { return false }
        self.entries[name]?.isHopeless = true
        self.awaited?.remove(name)
        return self.failed(name, fault, connection: connection)
    }

    /// The server answers.
    ///
    /// - Returns: whether it did not before.
    package mutating func answered(_ name: String, connection: UInt64) -> Bool {
        guard let entry = self.entries[name], entry.connection == connection else { return false }
        self.entries[name]?.status.fault = nil
        return entry.status.fault != nil
    }
}
