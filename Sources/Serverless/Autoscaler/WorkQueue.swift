/// Whom something has to be done for, one at a time for each key: a key that is at work and comes again waits until that
/// work has ended. What is to be done is looked up when it is done, so that it is never out of date.
package struct WorkQueue<Key: Hashable & Sendable>: Sendable {
    /// From so many taken places on they are given back, half of the list at least at once: no step is long.
    private static var takenMin: Int { 1024 }

    private var waiting: Set<Key> = []
    /// Keys that wait and are not at work, from `head` on.
    private var order: [Key] = []
    private var head = 0
    private var atWork: Set<Key> = []

    package init() {}

    package mutating func add(_ key: Key) {
        guard self.waiting.insert(key).inserted, !self.atWork.contains(key) else { return }
        self.order.append(key)
    }

    /// The longest waiting key that is not at work.
    package mutating func next() -> Key? {
        guard self.head < self.order.count else { return nil }
        let key = self.order[self.head]
        self.head += 1
        if self.head == self.order.count || (self.head >= Self.takenMin && self.head * 2 >= self.order.count) {
            self.order.removeFirst(self.head)
            self.head = 0
        }
        self.waiting.remove(key)
        self.atWork.insert(key)
        return key
    }

    /// The work for a key has ended; says whether there is more to do.
    package mutating func done(_ key: Key) -> Bool {
        self.atWork.remove(key)
        if self.waiting.contains(key) { self.order.append(key) }
        return self.head < self.order.count
    }
}
