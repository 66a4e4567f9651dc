/// Requests of one revision at one proxy: which may go to its pods, and which wait, in their order. A value without clock
/// or sockets.
///
/// No more are let go at once than the pods take. Each that went has a place until it has ended.
package struct HeldRequests<Waiter: Sendable>: Sendable {
    package typealias ID = UInt64

    package enum OnArrival: Sendable, Hashable {
        case go
        case wait(ID)
        /// As many wait as may.
        case refuse
    }

    /// As an activator's.
    package static var waitingMaxDefault: Int { 10_000 }

    private let waitingMax: Int
    private var concurrencyMax = 0
    private var endpointCount = 0
    private var isClosed = false
    private var waiters: [ID: Waiter] = [:]
    /// In the order of arrival, from `head` on; some may have left.
    private var order: [ID] = []
    private var head = 0
    /// Those who have had a place before; they do not keep others from going, who may find what they did not.
    private var returnedIDs: Set<ID> = []
    private var lastID: ID = 0
    private var meter: ConcurrencyMeter
    package private(set) var inFlightCount = 0

    /// Counts from `now` on; `waitingMax` wait at most.
    package init(waitingMax: Int = Self.waitingMaxDefault, at now: Duration) {
        self.waitingMax = waitingMax
        self.meter = ConcurrencyMeter(at: now)
    }

    package var waitingCount: Int { self.waiters.count }

    private var hasRoom: Bool {
        guard self.endpointCount > 0 else { return self.isClosed }
        return self.concurrencyMax == 0 || self.inFlightCount < self.concurrencyMax * self.endpointCount
    }

    /// A request has come. `isFirst`: there were none, and the autoscaler is to be told at once.
    package mutating func arrived(
        at now: Duration,
        _ makeWaiter: (ID) -> Waiter
    ) -> (action: OnArrival, isFirst: Bool) {
        let isFirst = self.meter.began(at: now)
        // Those who came before go first.
        if self.waiters.count == self.returnedIDs.count, self.hasRoom {
            self.inFlightCount += 1
            return (.go, isFirst)
        }
        guard self.waiters.count < self.waitingMax else {
            self.meter.ended(at: now)
            return (.refuse, isFirst)
        }
        let id = self.newID(makeWaiter)
        self.order.append(id)
        return (.wait(id), isFirst)
    }

    /// A request that had a place has found no endpoint after all, and waits again until the endpoints change, or until
    /// `retried`. `nil`: the revision has gone, or as many wait as may; the request keeps its place until it ends.
    package mutating func returned(_ makeWaiter: (ID) -> Waiter) -> ID? {
        guard !self.isClosed, self.waiters.count < self.waitingMax else { return nil }
        self.inFlightCount = max(0, self.inFlightCount - 1)
        let id = self.newID(makeWaiter)
        self.returnedIDs.insert(id)
        return id
    }

    /// Who waited has given up; `false`: it has been let go before.
    package mutating func left(_ id: ID, at now: Duration) -> Bool {
        guard self.waiters.removeValue(forKey: id) != nil else { return false }
        self.returnedIDs.remove(id)
        self.meter.ended(at: now)
        self.tidy()
        return true
    }

    /// A request that had a place has ended. Gives those who can go now.
    package mutating func finished(at now: Duration) -> [(id: ID, waiter: Waiter)] {
        self.inFlightCount = max(0, self.inFlightCount - 1)
        self.meter.ended(at: now)
        return self.release()
    }

    /// So many endpoints can take requests now, each so many at once. Gives those who can go.
    package mutating func changed(endpointCount: Int, concurrencyMax: Int) -> [(id: ID, waiter: Waiter)] {
        self.endpointCount = endpointCount
        self.concurrencyMax = concurrencyMax
        self.isClosed = false
        return self.releaseAll()
    }

    /// Who found no endpoint, as those there are were left out for a while, tries again now and then.
    package mutating func retried() -> [(id: ID, waiter: Waiter)] { self.releaseAll() }

    /// The revision has gone: nobody waits any more.
    package mutating func closed() -> [(id: ID, waiter: Waiter)] {
        self.endpointCount = 0
        self.isClosed = true
        return self.releaseAll()
    }

    /// What the autoscaler is told each second; `nil` if there is nothing to say.
    package mutating func report(at now: Duration) -> (concurrency: Double, requests: Double)? {
        self.meter.report(at: now)
    }

    private mutating func newID(_ makeWaiter: (ID) -> Waiter) -> ID {
        self.lastID += 1
        self.waiters[self.lastID] = makeWaiter(self.lastID)
        return self.lastID
    }

    /// As `release`, but first those who had a place before.
    private mutating func releaseAll() -> [(id: ID, waiter: Waiter)] {
        var released: [(id: ID, waiter: Waiter)] = []
        if !self.returnedIDs.isEmpty {
            for id in self.returnedIDs.sorted() {
                guard self.hasRoom else { break }
                self.returnedIDs.remove(id)
                guard let waiter = self.waiters.removeValue(forKey: id) else { continue }
                self.inFlightCount += 1
                released.append((id, waiter))
            }
        }
        return released + self.release()
    }

    private mutating func release() -> [(id: ID, waiter: Waiter)] {
        var released: [(id: ID, waiter: Waiter)] = []
        while self.hasRoom, self.head < self.order.count {
            let id = self.order[self.head]
            self.head += 1
            guard let waiter = self.waiters.removeValue(forKey: id) else { continue }
            self.inFlightCount += 1
            released.append((id, waiter))
        }
        self.tidy()
        return released
    }

    /// Those who have left are taken out now and then, so that it costs the same however many there were.
    private mutating func tidy() {
        guard self.order.count > 64, self.order.count > 2 * self.waiters.count else { return }
        self.order = self.order[self.head...].filter { self.waiters[$0] != nil }
        self.head = 0
    }
}
