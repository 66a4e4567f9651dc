/// Requests of one cluster that have had a place and wait again, by the place that they left: who goes next is found without
/// asking each of them, however many wait.
struct ReturnedLine<ID: Hashable & Comparable & Sendable>: Sendable {
    /// In their order, from `head` on; some may have left.
    private struct Queue {
        var ids: [ID] = []
        var head = 0
        var count = 0
    }

    /// Those who may go anywhere are under `nil`.
    private var queues: [PodPlaces.Place?: Queue] = [:]

    var isEmpty: Bool { self.queues.isEmpty }

    mutating func append(_ id: ID, avoiding place: PodPlaces.Place?) {
        self.queues[place, default: Queue()].ids.append(id)
        self.queues[place]?.count += 1
    }

    /// Takes out who has waited longest of those who go into such room. `waits`: it has not left since.
    mutating func next(into room: PodPlaces.Room, waits: (ID) -> Bool) -> ID? {
        var oldest: (place: PodPlaces.Place?, id: ID)?
        for place in self.queues.keys where room.suits(avoiding: place) {
            guard let id = self.first(of: place, waits: waits) else { continue }
            if let known = oldest, known.id < id { continue }
            oldest = (place, id)
        }
        guard let oldest else { return nil }
        self.queues[oldest.place]?.head += 1
        self.removed(from: oldest.place, waits: waits)
        return oldest.id
    }

    private mutating func first(of place: PodPlaces.Place?, waits: (ID) -> Bool) -> ID? {
        guard var head = self.queues[place]?.head, let count = self.queues[place]?.ids.count else { return nil }
        defer { self.queues[place]?.head = head }
        while head < count, let id = self.queues[place]?.ids[head] {
            if waits(id) { return id }
            head += 1
        }
        return nil
    }

    /// One of those who left this place has gone.
    mutating func removed(from place: PodPlaces.Place?, waits: (ID) -> Bool) {
        guard var queue = self.queues.removeValue(forKey: place) else { return }
        queue.count -= 1
        guard queue.count > 0 else { return }
        // Those who have left are taken out now and then, so that it costs the same however many there were.
        if queue.ids.count > 64, queue.ids.count > 2 * queue.count {
            queue.ids = queue.ids[queue.head...].filter(waits)
            queue.head = 0
        }
        self.queues[place] = queue
    }

    /// All of them, in their order; those who have left may be among them.
    var all: [ID] { self.queues.values.flatMap { $0.ids[$0.head...] }.sorted() }
}
