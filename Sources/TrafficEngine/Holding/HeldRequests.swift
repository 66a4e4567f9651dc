/// Requests of one revision at one proxy: which may go to its pods, and which wait, in their order. A value without clock
/// or sockets.
///
/// Who goes gets a place in a pod, which is its own until it has ended. Clusters may lead to different pods of a revision
/// (subsets): whoever waits longest among those who may go to a pod gets the next place in it.
package struct HeldRequests<Waiter: Sendable>: Sendable {
    package typealias ID = UInt64
    package typealias Place = PodPlaces.Place

    package enum OnArrival: Sendable, Hashable {
        /// `nil`: the revision has gone, and nobody counts.
        case go(Place?)
        case wait(ID)
        /// As many wait as may.
        case refuse
    }

    /// A request that can go now.
    package struct Release: Sendable {
        package var id: ID
        package var waiter: Waiter
        /// `nil`: the revision, or this way to it, has gone.
        package var place: Place?
        /// As it was when it came.
        package var isProxied = false
    }

    private struct Waiting {
        var waiter: Waiter
        var cluster: ClusterID
        /// It had a place there before, and goes elsewhere now.
        var avoided: Place?
        var isReturned = false
        var isProxied: Bool
    }

    /// Those who wait for the pods of one cluster.
    private struct Line {
        var choices = PodPlaces.Choices()
        /// In the order of arrival, from `head` on; some may have left.
        var order: [ID] = []
        var head = 0
        var count = 0
        /// Those who have had a place before: they go before the others, and keep nobody from going, who may find what
        /// they did not.
        var returned = ReturnedLine<ID>()
    }

    /// As an activator's.
    package static var waitingMaxDefault: Int { 10_000 }

    private let waitingMax: Int
    private var places = PodPlaces()
    private var lines: [ClusterID: Line] = [:]
    private var isClosed = false
    private var waiters: [ID: Waiting] = [:]
    private var lastID: ID = 0
    private var meter: ConcurrencyMeter
    package private(set) var inFlightCount = 0

    /// Counts from `now` on; `waitingMax` wait at most. `tellsFirst`: a first request is reported at once.
    package init(waitingMax: Int = Self.waitingMaxDefault, tellsFirst: Bool = true, at now: Duration) {
        self.waitingMax = waitingMax
        self.meter = ConcurrencyMeter(tellsFirst: tellsFirst, at: now)
    }

    package var waitingCount: Int { self.waiters.count }

    /// A request has come by a cluster, its way to the pods. The preferred pod gets it if it has room, unless the request
    /// has to wait. `isProxied`: somebody else has reported it. `isFirst`: there were none, and the autoscaler is to be told
    /// at once.
    package mutating func arrived(
        by cluster: ClusterID,
        preferring preferred: RevisionPod? = nil,
        isProxied: Bool = false,
        at now: Duration,
        _ makeWaiter: (ID) -> Waiter
    ) -> (action: OnArrival, isFirst: Bool) {
        let isFirst = self.meter.began(isProxied: isProxied, at: now)
        if self.isClosed {
            self.inFlightCount += 1
            return (.go(nil), isFirst)
        }
        // Those who came before go first.
        if let line = self.lines[cluster], line.count == 0,
            let place = self.places.take(line.choices, preferring: preferred)
        {
            self.inFlightCount += 1
            return (.go(place), isFirst)
        }
        guard self.waiters.count < self.waitingMax else {
            self.meter.ended(isProxied: isProxied, at: now)
            return (.refuse, isFirst)
        }
        let id = self.wait(Waiting(waiter: makeWaiter(self.lastID + 1), cluster: cluster, isProxied: isProxied))
        self.lines[cluster, default: Line()].order.append(id)
        self.lines[cluster]?.count += 1
        return (.wait(id), isFirst)
    }

    /// A place in another pod, for a request that wants to try one; it has the other no more. `nil`: none has room, and it
    /// keeps what it has.
    package mutating func moved(from place: Place, by cluster: ClusterID) -> (place: Place, released: [Release])? {
        guard let line = self.lines[cluster], let other = self.places.take(line.choices, avoiding: place) else {
            return nil
        }
        self.places.giveBack(place)
        return (other, self.release())
    }

    /// A request cannot use its place after all, and waits again for one in another pod, or until the pods change, or until
    /// `retried`. `nil`: as many wait as may, or the revision has gone; it keeps its place until it ends.
    package mutating func returned(
        _ place: Place,
        by cluster: ClusterID,
        isProxied: Bool = false,
        _ makeWaiter: (ID) -> Waiter
    ) -> (id: ID, released: [Release])? {
        guard !self.isClosed, self.waiters.count < self.waitingMax else { return nil }
        self.inFlightCount -= 1
        self.places.giveBack(place)
        // Others may have what it did not want; they are asked before it stands in line again.
        let released = self.release()
        let waiter = makeWaiter(self.lastID + 1)
        let id = self.wait(
            Waiting(waiter: waiter, cluster: cluster, avoided: place, isReturned: true, isProxied: isProxied)
        )
        self.lines[cluster, default: Line()].returned.append(id, avoiding: place)
        return (id, released)
    }

    /// A pod took no connection: nobody is sent there until the pods change, or until `retried`.
    package mutating func refused(_ place: Place) { self.places.refused(place) }

    /// Who waited has given up; `false`: it has been let go before.
    package mutating func left(_ id: ID, at now: Duration) -> Bool {
        guard let gone = self.remove(id) else { return false }
        if gone.isReturned {
            self.lines[gone.cluster]?.returned.removed(from: gone.avoided) { self.waiters[$0] != nil }
        }
        self.meter.ended(isProxied: gone.isProxied, at: now)
        self.tidy(gone.cluster)
        return true
    }

    /// A request has ended. Gives those who can go now.
    package mutating func finished(_ place: Place?, isProxied: Bool = false, at now: Duration) -> [Release] {
        self.inFlightCount -= 1
        self.meter.ended(isProxied: isProxied, at: now)
        guard let place else { return [] }
        self.places.giveBack(place)
        return self.release()
    }

    /// These are the pods that can take requests now, by cluster, each so many at once (0: any number). Gives those who can
    /// go.
    package mutating func changed(_ pods: [ClusterID: [PodShare]], concurrencyMax: Int) -> [Release] {
        self.isClosed = false
        self.places.concurrencyMax = concurrencyMax
        let clusters = pods.keys.map(\.self)
        let choices = self.places.list(clusters.map { pods[$0] ?? [] })
        for cluster in self.lines.keys { self.lines[cluster]?.choices = PodPlaces.Choices() }
        for (cluster, choices) in zip(clusters, choices) { self.lines[cluster, default: Line()].choices = choices }
        let gone = self.lines.keys.filter { pods[$0] == nil }
        return gone.flatMap { self.abandon($0) } + self.releaseAgain()
    }

    /// Pods that could not be used are tried again, now and then, but for those that are asked whether they can.
    package mutating func retried(except asked: Set<RevisionPod> = []) -> [Release] { self.releaseAgain(except: asked) }

    /// The revision has gone: nobody waits any more.
    package mutating func closed() -> [Release] {
        self.isClosed = true
        let released = self.lines.keys.sorted { $0.index < $1.index }.flatMap { self.abandon($0) }
        _ = self.places.list([])
        return released
    }

    /// What the autoscaler is told each second; `nil` if there is nothing to say.
    package mutating func report(at now: Duration) -> ActivationReport? {
        self.meter.report(at: now)
    }

    /// What the autoscaler is told before, since requests wait; `nil`: none does, or all have been told of.
    package mutating func reportEarly(at now: Duration) -> ActivationReport? {
        self.waiters.isEmpty ? nil : self.meter.reportEarly(at: now)
    }

    // MARK: Lines

    private mutating func wait(_ waiting: Waiting) -> ID {
        self.lastID += 1
        self.waiters[self.lastID] = waiting
        return self.lastID
    }

    /// Takes one out who waits; `nil`: it does not. It may stand in its line's order still.
    private mutating func remove(_ id: ID) -> Waiting? {
        guard let waiting = self.waiters.removeValue(forKey: id) else { return nil }
        if !waiting.isReturned { self.lines[waiting.cluster]?.count -= 1 }
        return waiting
    }

    /// A cluster has gone: who waits by it goes without a place, and finds that there is nothing.
    private mutating func abandon(_ cluster: ClusterID) -> [Release] {
        guard let line = self.lines.removeValue(forKey: cluster) else { return [] }
        return (line.returned.all + line.order[line.head...]).compactMap { id in
            guard let waiting = self.waiters.removeValue(forKey: id) else { return nil }
            self.inFlightCount += 1
            return Release(id: id, waiter: waiting.waiter, place: nil, isProxied: waiting.isProxied)
        }
    }

    /// As `release`, but everything may have changed for those who had a place before.
    private mutating func releaseAgain(except refusing: Set<RevisionPod> = []) -> [Release] {
        self.places.forgiven(except: refusing)
        for (cluster, line) in self.lines where !line.returned.isEmpty {
            var returned = ReturnedLine<ID>()
            for id in line.returned.all where self.waiters[id] != nil {
                self.waiters[id]?.avoided = nil
                returned.append(id, avoiding: nil)
            }
            self.lines[cluster]?.returned = returned
        }
        return self.release()
    }

    /// Gives the places that are free.
    private mutating func release() -> [Release] {
        guard !self.waiters.isEmpty else { return [] }
        var released: [Release] = []
        // Lines that may have somebody who can go.
        var open = self.lines.keys.filter { self.lines[$0]?.choices.isEmpty == false }
        for cluster in open { self.releaseReturned(cluster, &released) }
        open.removeAll { self.lines[$0]?.count == 0 }
        while let (cluster, id) = self.oldest(of: open), let choices = self.lines[cluster]?.choices {
            guard let place = self.places.take(choices) else {
                open.removeAll { $0 == cluster }
                continue
            }
            guard let waiting = self.remove(id) else { preconditionFailure("who is first in a line waits") }
            self.inFlightCount += 1
            released.append(Release(id: id, waiter: waiting.waiter, place: place, isProxied: waiting.isProxied))
            self.tidy(cluster)
        }
        return released
    }

    private mutating func releaseReturned(_ cluster: ClusterID, _ released: inout [Release]) {
        guard let choices = self.lines[cluster]?.choices, self.lines[cluster]?.returned.isEmpty == false else { return }
        while let id = self.lines[cluster]?.returned.next(
            into: self.places.room(in: choices),
            waits: { self.waiters[$0] != nil }
        ) {
            guard let waiting = self.waiters.removeValue(forKey: id),
                let place = self.places.take(choices, avoiding: waiting.avoided)
            else { preconditionFailure("who is next waits, and there is room for it") }
            self.inFlightCount += 1
            released.append(Release(id: id, waiter: waiting.waiter, place: place, isProxied: waiting.isProxied))
        }
    }

    /// Who has waited longest in these lines.
    private mutating func oldest(of clusters: [ClusterID]) -> (ClusterID, ID)? {
        var oldest: (cluster: ClusterID, id: ID)?
        for cluster in clusters {
            guard let id = self.first(of: cluster) else { continue }
            if let known = oldest, known.id < id { continue }
            oldest = (cluster, id)
        }
        return oldest
    }

    private mutating func first(of cluster: ClusterID) -> ID? {
        guard var head = self.lines[cluster]?.head, let count = self.lines[cluster]?.order.count else { return nil }
        defer { self.lines[cluster]?.head = head }
        while head < count, let id = self.lines[cluster]?.order[head] {
            if self.waiters[id] != nil { return id }
            head += 1
        }
        return nil
    }

    /// Those who have left are taken out now and then, so that it costs the same however many there were.
    private mutating func tidy(_ cluster: ClusterID) {
        guard let line = self.lines[cluster], line.order.count > 64, line.order.count > 2 * line.count else { return }
        self.lines[cluster]?.order = line.order[line.head...].filter { self.waiters[$0] != nil }
        self.lines[cluster]?.head = 0
    }
}
