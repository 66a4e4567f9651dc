/// Something that has deadlines.
package protocol TimerTarget: AnyObject {
    /// Its deadline, or an earlier one that it had once, has come.
    ///
    /// - Returns: the next tick to look again; `nil`: none until `TimerWheel.arm`.
    func timerFired(tick: Int) -> Int?
}

/// Coarse deadlines for many connections: a ring of lists, one list per tick.
///
/// Putting a deadline off costs nothing: the owner keeps its true deadline, and is asked for it when an earlier one
/// fires. Lists are linked by index inside one array, so nothing is allocated or retained per deadline.
package struct TimerWheel {
    /// A place in the wheel, owned by one target.
    package typealias ID = Int32

    private struct Entry {
        var target: (any TimerTarget)?
        /// The tick it is filed under; -1: not filed.
        var tick = -1
        var next: Int32 = -1
        var previous: Int32 = -1
    }

    package static let slotCount = 1024

    package init() {}

    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var heads = [Int32](repeating: -1, count: Self.slotCount)
    package private(set) var now = 0

    /// A place for `target`; it is kept alive until `remove`.
    package mutating func add(_ target: any TimerTarget) -> ID {
        if let id = self.free.popLast() {
            self.entries[Int(id)] = Entry(target: target)
            return id
        }
        self.entries.append(Entry(target: target))
        return Int32(self.entries.count - 1)
    }

    package mutating func remove(_ id: ID) {
        precondition(self.entries[Int(id)].target != nil, "removed twice")
        self.unlink(id)
        self.entries[Int(id)].target = nil
        self.free.append(id)
    }

    /// Makes sure that the target is asked no later than at `tick`.
    @inline(__always)
    package mutating func arm(_ id: ID, by tick: Int) {
        let filed = self.entries[Int(id)].tick
        if filed >= 0, filed <= tick { return }
        self.refile(id, tick)
    }

    private mutating func refile(_ id: ID, _ tick: Int) {
        // A target that was removed while it fired has no deadline any more.
        guard self.entries[Int(id)].target != nil else { return }
        self.unlink(id)
        // A far deadline is filed as far ahead as the ring reaches, and then filed anew.
        let filed = min(max(tick, self.now + 1), self.now + Self.slotCount - 1)
        let slot = filed % Self.slotCount
        let head = self.heads[slot]
        self.entries[Int(id)].tick = filed
        self.entries[Int(id)].next = head
        self.entries[Int(id)].previous = -1
        if head >= 0 { self.entries[Int(head)].previous = id }
        self.heads[slot] = id
    }

    private mutating func unlink(_ id: ID) {
        let entry = self.entries[Int(id)]
        guard entry.tick >= 0 else { return }
        if entry.previous >= 0 {
            self.entries[Int(entry.previous)].next = entry.next
        } else {
            self.heads[entry.tick % Self.slotCount] = entry.next
        }
        if entry.next >= 0 { self.entries[Int(entry.next)].previous = entry.previous }
        self.entries[Int(id)].tick = -1
        self.entries[Int(id)].next = -1
        self.entries[Int(id)].previous = -1
    }

    /// Moves on by one tick; call `popDue` until it is empty, then file what was answered with `arm`.
    package mutating func advance() { self.now += 1 }

    /// The next target whose tick is now.
    package mutating func popDue() -> (ID, any TimerTarget)? {
        while true {
            let id = self.heads[self.now % Self.slotCount]
            guard id >= 0 else { return nil }
            self.unlink(id)
            if let target = self.entries[Int(id)].target { return (id, target) }
        }
    }
}

/// Ticks of the loops' coarse clock.
package enum Tick {
    package static let milliseconds = 50
    package static let length = Duration.milliseconds(milliseconds)
    /// No deadline.
    package static let never = Int.max

    /// The tick at which `duration` is certainly over when it starts during `now`.
    package static func after(_ duration: Duration, now: Int) -> Int {
        let (seconds, attoseconds) = duration.components
        guard seconds < 1_000_000_000 else { return Self.never }
        let milliseconds = Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        return now + max(0, milliseconds) / Self.milliseconds + 2
    }
}
