extension HeaderEdits {
    /// These changes and then `later` ones, as one.
    package func then(_ later: HeaderEdits) -> HeaderEdits {
        if self.isEmpty { return later }
        if later.isEmpty { return self }
        // What a later step removes or sets, an earlier one has not left behind.
        let replaced = Set(later.remove + later.set.map(\.name))
        return HeaderEdits(
            remove: self.remove + later.remove,
            set: self.set.filter { !replaced.contains($0.name) } + later.set,
            // A name that was only added to and is set now loses what was added.
            add: self.add.filter { !replaced.contains($0.name) } + later.add
        )
    }
}
