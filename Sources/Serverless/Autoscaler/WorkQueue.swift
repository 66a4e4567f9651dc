/// Things to do, one at a time for each key: what comes while a key is at work replaces what waits for it.
struct WorkQueue<Key: Hashable & Sendable, Item: Sendable>: Sendable {
    private var waiting: [Key: Item] = [:]
    private var order: [Key] = []
    private var atWork: Set<Key> = []

    /// Adds an item; `merge` makes one of it and the one that waits already.
    mutating func add(_ key: Key, _ item: Item, merge: (Item, Item) -> Item) {
        if let older = self.waiting[key] {
            self.waiting[key] = merge(older, item)
        } else {
            self.waiting[key] = item
            self.order.append(key)
        }
    }

    /// The longest waiting item whose key is not at work.
    mutating func next() -> (key: Key, item: Item)? {
        guard let index = self.order.firstIndex(where: { !self.atWork.contains($0) }) else { return nil }
        let key = self.order.remove(at: index)
        guard let item = self.waiting.removeValue(forKey: key) else { return nil }
        self.atWork.insert(key)
        return (key, item)
    }

    /// The work for a key has ended; says whether there is more to do.
    mutating func done(_ key: Key) -> Bool {
        self.atWork.remove(key)
        return !self.order.isEmpty
    }
}
