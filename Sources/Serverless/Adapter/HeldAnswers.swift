package import MeshModel

/// Answers that are held until a pod of their revision is ready: a value without clock or input.
package struct HeldAnswers<Waiter: Sendable>: Sendable {
    package typealias ID = UInt64

    private let countMax: Int
    private var ready: Set<ObjectID> = []
    private var waiting: [ObjectID: [ID: Waiter]] = [:]
    private var lastID: ID = 0
    package private(set) var count = 0

    /// `countMax`: so many are held at once; more are given without waiting.
    package init(countMax: Int) { self.countMax = countMax }

    /// How many wait, by revision.
    package var counts: [ObjectID: Int] { self.waiting.mapValues(\.count) }

    package mutating func newID() -> ID {
        self.lastID += 1
        return self.lastID
    }

    /// Holds an answer; says no if a pod is ready already, or too many are held.
    package mutating func hold(_ id: ID, for revision: ObjectID, _ waiter: Waiter) -> Bool {
        guard !self.ready.contains(revision), self.count < self.countMax else { return false }
        self.waiting[revision, default: [:]][id] = waiter
        self.count += 1
        return true
    }

    /// An answer has been held for long enough; `nil` if it has been given.
    package mutating func release(_ id: ID, of revision: ObjectID) -> Waiter? {
        guard let waiter = self.waiting[revision]?.removeValue(forKey: id) else { return nil }
        self.count -= 1
        if self.waiting[revision]?.isEmpty == true { self.waiting[revision] = nil }
        return waiter
    }

    /// A revision has a pod that is ready, or none any more. Gives those whose wait is over.
    package mutating func changed(_ revision: ObjectID, isReady: Bool) -> [Waiter] {
        guard isReady else {
            self.ready.remove(revision)
            return []
        }
        self.ready.insert(revision)
        let waiters = self.waiting.removeValue(forKey: revision)?.values.map(\.self) ?? []
        self.count -= waiters.count
        return waiters
    }

    /// Nothing is known to be ready.
    package mutating func forgetReady() { self.ready = [] }
}
