package import DNSWire

/// A name that a workload looked up and got an address for.
package struct GivenName: Hashable, Sendable {
    /// Of the name table's hosts the whole name, `*.wild.test` for all below a star; of others what was asked for.
    package var name: DNSName
    /// The name table answered, so that search domains and short names mean what they mean in the mesh.
    package var isLocal: Bool
    /// When the record that gave the address is to be forgotten.
    package var expires: ContinuousClock.Instant

    /// A name server that says more than this is not believed.
    private static let ttlMax: UInt32 = 86_400

    package init(name: DNSName, isLocal: Bool, ttl: UInt32, at now: ContinuousClock.Instant) {
        self.name = name
        self.isLocal = isLocal
        self.expires = now + .seconds(Int64(min(ttl, Self.ttlMax)))
    }

    /// All names that an application may have used, in lower case: of the mesh's hosts also what is short for them with
    /// a search domain behind it.
    ///
    /// A name that another server answered stands for itself alone: whoever answers for a search domain must not be
    /// able to speak for names outside of it.
    package func texts(search: [DNSName]) -> [String] {
        let own = self.name.lowercased
        guard self.isLocal else { return [own.description] }
        return ([own] + search.compactMap { own.dropping(suffix: $0) }).map(\.description)
    }
}
