/// Requests for one revision that wait for room in its pods, and who gets which pod: a value without sockets or clock.
///
/// Requests are let go in the order in which they came. No pod gets more at once than its container takes, and none is
/// chosen that has not been seen to answer.
package struct RevisionQueue<RequestID: Hashable & Sendable>: Sendable {
    package enum OnArrival: Sendable, Hashable {
        case forward(to: String)
        case wait
        /// As many wait as may.
        case refuse
    }

    private struct Pod {
        var address: String
        var inFlight: Int
    }

    private struct Waiting {
        var id: RequestID
        var deadline: Duration
    }

    /// How many requests may wait.
    package static var lengthMax: Int { 10_000 }
    /// Up to this many requests at once per pod, pods are filled one after the other.
    private static var fillUpMax: Int { 3 }

    private let lengthMax: Int
    /// Zero: pods take any number.
    private var containerConcurrency: Int
    private var pods: [Pod] = []
    /// What is still under way to pods that do not answer now. They may come back, and have no more room for it.
    private var leaving: [String: Int] = [:]
    private var waiting: [Waiting] = []
    /// Where those that wait begin; what is before has been let go.
    private var head = 0
    private var turn = 0
    private var random: UInt64

    package init(containerConcurrency: Int, lengthMax: Int = Self.lengthMax, seed: UInt64) {
        self.containerConcurrency = containerConcurrency
        self.lengthMax = lengthMax
        self.random = seed
    }

    package var waitingCount: Int { self.waiting.count - self.head }
    package var inFlightCount: Int {
        self.pods.reduce(0) { $0 + $1.inFlight } + self.leaving.values.reduce(0, +)
    }
    package var podCount: Int { self.pods.count }

    /// A request has come. `deadline`: when its client will have given up.
    package mutating func arrived(_ id: RequestID, deadline: Duration) -> OnArrival {
        // Those who came before go first.
        if self.waitingCount == 0, let index = self.pick() {
            self.pods[index].inFlight += 1
            return .forward(to: self.pods[index].address)
        }
        guard self.waitingCount < self.lengthMax else { return .refuse }
        self.waiting.append(Waiting(id: id, deadline: deadline))
        return .wait
    }

    /// A request that was forwarded has ended. Gives the requests that can go now.
    package mutating func finished(at address: String) -> [(id: RequestID, address: String)] {
        if let index = self.pods.firstIndex(where: { $0.address == address }) {
            self.pods[index].inFlight = max(0, self.pods[index].inFlight - 1)
        } else if let count = self.leaving[address] {
            self.leaving[address] = count > 1 ? count - 1 : nil
        }
        return self.release()
    }

    /// The pods that answer are these. One that comes back still has what is in flight to it.
    package mutating func podsChanged(_ addresses: [String]) -> [(id: RequestID, address: String)] {
        var counts = self.leaving
        for pod in self.pods where pod.inFlight > 0 { counts[pod.address] = pod.inFlight }
        self.pods = addresses.sorted().map { Pod(address: $0, inFlight: counts.removeValue(forKey: $0) ?? 0) }
        self.leaving = counts
        return self.release()
    }

    package mutating func configure(containerConcurrency: Int) -> [(id: RequestID, address: String)] {
        self.containerConcurrency = containerConcurrency
        return self.release()
    }

    /// A client has gone, or its request was answered otherwise. Says whether it was waiting.
    package mutating func left(_ id: RequestID) -> Bool {
        guard let index = self.waiting[self.head...].firstIndex(where: { $0.id == id }) else { return false }
        self.waiting.remove(at: index)
        return true
    }

    /// Takes out those whose time has run out.
    package mutating func expired(at now: Duration) -> [RequestID] {
        let late = self.waiting[self.head...].filter { $0.deadline <= now }
        guard !late.isEmpty else { return [] }
        self.waiting = self.waiting[self.head...].filter { $0.deadline > now }
        self.head = 0
        return late.map(\.id)
    }

    private mutating func release() -> [(id: RequestID, address: String)] {
        var released: [(id: RequestID, address: String)] = []
        while self.waitingCount > 0, let index = self.pick() {
            self.pods[index].inFlight += 1
            released.append((self.waiting[self.head].id, self.pods[index].address))
            self.head += 1
        }
        // Moved up now and then, so that letting one go costs the same however many wait.
        if self.head > 64, self.head * 2 > self.waiting.count {
            self.waiting.removeFirst(self.head)
            self.head = 0
        }
        return released
    }

    private func hasRoom(_ pod: Pod) -> Bool {
        self.containerConcurrency == 0 || pod.inFlight < self.containerConcurrency
    }

    private mutating func pick() -> Int? {
        guard !self.pods.isEmpty else { return nil }
        if self.containerConcurrency == 0 { return self.leastOfTwo() }
        if self.containerConcurrency <= Self.fillUpMax { return self.pods.firstIndex(where: self.hasRoom) }
        for step in 1...self.pods.count {
            let index = (self.turn + step) % self.pods.count
            guard self.hasRoom(self.pods[index]) else { continue }
            self.turn = index
            return index
        }
        return nil
    }

    private mutating func leastOfTwo() -> Int {
        let first = self.number(below: self.pods.count)
        guard self.pods.count > 1 else { return first }
        var second = self.number(below: self.pods.count - 1)
        if second >= first { second += 1 }
        return self.pods[first].inFlight <= self.pods[second].inFlight ? first : second
    }

    /// SplitMix64; good enough to spread requests.
    private mutating func number(below limit: Int) -> Int {
        self.random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.random
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
