extension ResourceSet {
    /// Both sets in one; names differ between the two, but for Secrets that both need.
    func adding(_ other: ResourceSet) -> ResourceSet {
        var all = self.resources
        for (kind, resources) in other.resources {
            // The inbound half has no names of its own to tell.
            if kind == .nameTable, all[.nameTable] != nil { continue }
            let names = kind == .secret ? Set(all[kind, default: []].map(\.name)) : []
            all[kind, default: []] += resources.filter { !names.contains($0.name) }
        }
        return ResourceSet(all)
    }
}
