extension ResourceSet {
    /// Both sets in one; names differ between the two.
    func adding(_ other: ResourceSet) -> ResourceSet {
        var all = self.resources
        for (kind, resources) in other.resources {
            // The inbound half has no names of its own to tell.
            if kind == .nameTable, all[.nameTable] != nil { continue }
            all[kind, default: []] += resources
        }
        return ResourceSet(all)
    }
}
