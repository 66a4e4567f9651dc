/// Places of requests in the pods of one revision, counted over all loops of a proxy. A value without clock or sockets.
///
/// A pod has as many as it takes requests at once. Pods stand in numbered slots, so that giving a place is a walk along an
/// array and no search; a slot is given to another pod when nobody has a place in it any more.
package struct PodPlaces: Sendable {
    /// A place that has been given; it counts until it is given back.
    package struct Place: Hashable, Sendable {
        package let pod: RevisionPod
        fileprivate let slot: Int
    }

    /// Where requests of one cluster may go.
    package struct Choices: Sendable {
        fileprivate var slots: [(number: Int, weight: Double)] = []

        package init() {}

        package var isEmpty: Bool { self.slots.isEmpty }
    }

    /// Which pods have room, as far as it matters to who wants to go anywhere but to one of them.
    package struct Room: Sendable {
        fileprivate enum Pods { case none, one(slot: Int), several }

        fileprivate var pods = Pods.none

        /// Whether there is some for who does not go to the pod of `avoided`.
        package func suits(avoiding avoided: Place?) -> Bool {
            switch self.pods {
            case .none: false
            case .one(let slot): avoided?.slot != slot
            case .several: true
            }
        }
    }

    private struct Slot {
        var pod: RevisionPod
        var inFlight = 0
        /// Some cluster sends requests to it.
        var isListed = true
        /// It took no connection, and is left alone for a while.
        var isRefusing = false
    }

    private var slots: [Slot] = []
    private var numbers: [RevisionPod: Int] = [:]
    private var unused: [Int] = []
    /// Where the next search begins, so that pods with equally many requests take turns.
    private var turn = 0
    /// Requests that a pod takes at once; 0: any number.
    package var concurrencyMax = 0

    package init() {}

    /// Pods are these now. One that has gone is forgotten when the last request in it has ended; one that comes back has
    /// them still.
    package mutating func list(_ lists: [[PodShare]]) -> [Choices] {
        for index in self.slots.indices { self.slots[index].isListed = false }
        let choices = lists.map { shares in
            var choices = Choices()
            choices.slots = shares.map { (self.slot(of: $0.pod), $0.weight) }
            return choices
        }
        for index in self.slots.indices where !self.slots[index].isListed { self.forgetIfUnused(index) }
        return choices
    }

    private mutating func slot(of pod: RevisionPod) -> Int {
        if let number = self.numbers[pod] {
            self.slots[number].isListed = true
            return number
        }
        let slot = Slot(pod: pod)
        let number = self.unused.popLast() ?? self.slots.count
        if number == self.slots.count { self.slots.append(slot) } else { self.slots[number] = slot }
        self.numbers[pod] = number
        return number
    }

    private mutating func forgetIfUnused(_ number: Int) {
        let slot = self.slots[number]
        guard !slot.isListed, slot.inFlight == 0, self.numbers[slot.pod] == number else { return }
        self.numbers[slot.pod] = nil
        self.unused.append(number)
    }

    /// A place in the pod that has the fewest requests for its weight; `nil`: none has room.
    /// The preferred pod has it if it has room, however few others have; the pod of the avoided place never.
    package mutating func take(
        _ choices: Choices,
        preferring preferred: RevisionPod? = nil,
        avoiding avoided: Place? = nil
    ) -> Place? {
        if let preferred, let number = self.numbers[preferred], self.hasRoom(number, avoided),
            choices.slots.contains(where: { $0.number == number })
        {
            return self.take(number)
        }
        var best: (number: Int, weight: Double)?
        let count = choices.slots.count
        for step in 0..<count {
            let candidate = choices.slots[(self.turn + step) % count]
            guard self.hasRoom(candidate.number, avoided) else { continue }
            if let known = best, !self.isLessBusy(candidate, than: known) { continue }
            best = candidate
        }
        guard let best else { return nil }
        self.turn = (self.turn + 1) & 0xFFFF
        return self.take(best.number)
    }

    package func room(in choices: Choices) -> Room {
        var room = Room()
        for choice in choices.slots where self.hasRoom(choice.number, nil) {
            if case .one(let slot) = room.pods, slot != choice.number { return Room(pods: .several) }
            room.pods = .one(slot: choice.number)
        }
        return room
    }

    private mutating func take(_ number: Int) -> Place {
        self.slots[number].inFlight += 1
        return Place(pod: self.slots[number].pod, slot: number)
    }

    private func hasRoom(_ number: Int, _ avoided: Place?) -> Bool {
        let slot = self.slots[number]
        return !slot.isRefusing && number != avoided?.slot
            && (self.concurrencyMax == 0 || slot.inFlight < self.concurrencyMax)
    }

    /// With one request more each.
    private func isLessBusy(_ one: (number: Int, weight: Double), than other: (number: Int, weight: Double)) -> Bool {
        Double(self.slots[one.number].inFlight + 1) * other.weight
            < Double(self.slots[other.number].inFlight + 1) * one.weight
    }

    package mutating func giveBack(_ place: Place) {
        guard self.slots[place.slot].inFlight > 0 else { return }
        self.slots[place.slot].inFlight -= 1
        self.forgetIfUnused(place.slot)
    }

    /// The pod took no connection: nobody else is sent there until `forgiven`.
    package mutating func refused(_ place: Place) { self.slots[place.slot].isRefusing = true }

    /// Pods that took no connection are tried again, but for these.
    package mutating func forgiven(except refusing: Set<RevisionPod> = []) {
        for index in self.slots.indices where !refusing.contains(self.slots[index].pod) {
            self.slots[index].isRefusing = false
        }
    }

    /// Requests that have a place in the pod.
    package func inFlight(_ pod: RevisionPod) -> Int { self.numbers[pod].map { self.slots[$0].inFlight } ?? 0 }
}
