extension DNSTable {
    /// How large a table is.
    package struct Sizes: Hashable, Sendable {
        /// Hosts; short names and the like follow from them.
        package var hosts = 0
        package var wildcards = 0
        /// `false` until the first table has come.
        package var isReady = false

        package init() {}
    }

    /// Seconds for which its records may be kept.
    var ttl: UInt32 { self.sight.ttl }

    package var sizes: Sizes {
        var sizes = Sizes()
        sizes.hosts = self.hosts.count
        sizes.wildcards = self.wildcards.count
        sizes.isReady = self.unreadyBelow == nil
        return sizes
    }
}
