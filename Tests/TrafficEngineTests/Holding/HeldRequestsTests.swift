import MeshModel
import Testing
import TrafficEngine

@Suite struct HeldRequestsTests {
    private typealias Held = HeldRequests<String>

    private static let cluster = ClusterID(index: 0)
    private static let subset = ClusterID(index: 1)

    private func arrive(_ held: inout Held, _ name: String, by cluster: ClusterID = Self.cluster) -> Held.OnArrival {
        held.arrived(by: cluster, at: .zero) { _ in name }.action
    }

    /// A place; what waits or is refused is an issue.
    private func place(_ held: inout Held, _ name: String, by cluster: ClusterID = Self.cluster) -> Held.Place? {
        guard case .go(.some(let place)) = self.arrive(&held, name, by: cluster) else {
            Issue.record("\(name) has no place")
            return nil
        }
        return place
    }

    private func pod(_ number: UInt32) -> RevisionPod { RevisionPod(ip: .v4(0x0A00_0000 + number)) }

    private func shares(_ numbers: UInt32...) -> [PodShare] { numbers.map { PodShare(pod: self.pod($0)) } }

    private func change(_ held: inout Held, pods numbers: UInt32..., concurrency: Int) -> [Held.Release] {
        held.changed([Self.cluster: numbers.map { PodShare(pod: self.pod($0)) }], concurrencyMax: concurrency)
    }

    // MARK: Reports

    @Test("A request that somebody else has reported is told apart while it waits, in its pod, and when it leaves")
    func proxied() {
        var held = Held(tellsFirst: false, at: .zero)
        _ = held.changed([Self.cluster: [PodShare(pod: .own)]], concurrencyMax: 1)
        let arrivals = [true, false, true].map {
            held.arrived(by: Self.cluster, isProxied: $0, at: .zero) { _ in "" }
        }
        #expect(arrivals.allSatisfy { !$0.isFirst })
        let all = held.report(at: .seconds(1))
        #expect(all == ActivationReport(concurrency: 3, requests: 3, proxiedConcurrency: 2, proxiedRequests: 2))

        guard case .go(let place) = arrivals[0].action, case .wait(let last) = arrivals[2].action else {
            Issue.record("the first goes, the others wait")
            return
        }
        _ = held.left(last, at: .seconds(1))
        let released = held.finished(place, isProxied: true, at: .seconds(1))
        #expect(released.map(\.isProxied) == [false])
        #expect(held.report(at: .seconds(2)) == ActivationReport(concurrency: 1, requests: 0))
    }

    // MARK: Waiting

    @Test("Requests wait while there is no pod, and go in their order when there is one")
    func order() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c"] { _ = self.arrive(&held, name) }
        #expect(held.waitingCount == 3)

        let released = self.change(&held, pods: 1, concurrency: 0)
        #expect(released.map(\.waiter) == ["a", "b", "c"])
        #expect(released.allSatisfy { $0.place?.pod == self.pod(1) })
        #expect(self.place(&held, "d")?.pod == self.pod(1))
        #expect(held.inFlightCount == 4)
    }

    @Test("No pod gets more than it takes, and the next request when one in it has ended")
    func capacity() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c", "d", "e"] { _ = self.arrive(&held, name) }

        let first = self.change(&held, pods: 1, concurrency: 2)
        #expect(first.map(\.waiter) == ["a", "b"])
        #expect(held.finished(first[0].place, at: .zero).map(\.waiter) == ["c"])
        // A pod comes while the other is full: it alone has room.
        let second = self.change(&held, pods: 1, 2, concurrency: 2)
        #expect(second.map(\.waiter) == ["d", "e"])
        #expect(second.allSatisfy { $0.place?.pod == self.pod(2) })
        #expect(self.arrive(&held, "f") != .go(nil))
        #expect(held.waitingCount == 1)
    }

    @Test("A burst that waits is spread evenly over the pods that come")
    func spread() {
        var held = Held(at: .zero)
        for number in 0..<200 { _ = self.arrive(&held, "\(number)") }

        let released = self.change(&held, pods: 1, 2, 3, 4, concurrency: 50)
        #expect(released.count == 200)
        #expect((1...4).map { pod in released.count { $0.place?.pod == self.pod(pod) } } == [50, 50, 50, 50])
    }

    @Test("A pod that goes takes its places along; those in it end there, and nobody comes after them")
    func podGone() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].map { self.place(&held, $0) }
        _ = self.arrive(&held, "c")
        guard let old = places.first(where: { $0?.pod == self.pod(1) }) else {
            Issue.record("both pods have one")
            return
        }

        #expect(self.change(&held, pods: 2, concurrency: 1).count == 0)
        #expect(held.finished(old, at: .zero).count == 0)
        // Back again, empty.
        let released = self.change(&held, pods: 1, 2, concurrency: 1)
        #expect(released.map(\.waiter) == ["c"])
        #expect(released.first?.place?.pod == self.pod(1))
    }

    @Test("Who has left gets no place; who was let go before it left gives its place back")
    func left() {
        var held = Held(at: .zero)
        guard case .wait(let gone) = self.arrive(&held, "gone"), case .wait(let letGo) = self.arrive(&held, "let go")
        else {
            Issue.record("both wait")
            return
        }

        #expect(held.left(gone, at: .zero) == true)
        let released = self.change(&held, pods: 1, concurrency: 1)
        #expect(released.map(\.waiter) == ["let go"])
        #expect(held.left(letGo, at: .zero) == false)
        #expect(held.finished(released.first?.place, at: .zero).count == 0)
        #expect(held.inFlightCount == 0)
        #expect(self.place(&held, "next") != nil)
    }

    @Test("As many wait as may, over all ways; one more is refused")
    func bounded() {
        var held = Held(waitingMax: 2, at: .zero)
        _ = self.arrive(&held, "a")
        _ = self.arrive(&held, "b", by: Self.subset)

        #expect(self.arrive(&held, "c") == .refuse)
        #expect(self.arrive(&held, "d", by: Self.subset) == .refuse)
    }

    @Test("Those who come and give up again and again leave nothing behind")
    func manyLeave() {
        var held = Held(waitingMax: 10, at: .zero)
        _ = self.arrive(&held, "patient")
        for _ in 1...1000 {
            guard case .wait(let id) = self.arrive(&held, "x") else { continue }
            _ = held.left(id, at: .zero)
        }

        #expect(held.waitingCount == 1)
        #expect(self.change(&held, pods: 1, concurrency: 1).map(\.waiter) == ["patient"])
    }

    // MARK: Another pod

    @Test("Who wants another pod moves there if it has room, and leaves its place to who waits for that")
    func moves() {
        var held = Held(at: .zero)
        let pods = [Self.cluster: self.shares(1, 2), Self.subset: self.shares(1)]
        _ = held.changed([Self.cluster: self.shares(1), Self.subset: self.shares(1)], concurrencyMax: 1)
        guard let place = self.place(&held, "restless") else { return }
        _ = self.arrive(&held, "patient", by: Self.subset)
        let isAlone = held.moved(from: place, by: Self.cluster) == nil
        #expect(isAlone)

        #expect(held.changed(pods, concurrencyMax: 1).count == 0)
        let movedNow = held.moved(from: place, by: Self.cluster)
        #expect(movedNow?.place.pod == self.pod(2))
        #expect(movedNow?.released.map(\.waiter) == ["patient"])
        #expect(movedNow?.released.first?.place?.pod == self.pod(1))
        #expect(held.inFlightCount == 2)
    }

    @Test("A pod that takes no connection gets nobody; who was there waits for another, before those who came later")
    func refused() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 2)
        guard let place = self.place(&held, "first") else { return }
        held.refused(place)
        #expect(self.arrive(&held, "second") != .go(place))
        let returned = held.returned(place, by: Self.cluster) { _ in "first" }
        #expect(returned?.released.isEmpty == true)
        #expect(held.waitingCount == 2)

        let released = self.change(&held, pods: 2, concurrency: 2)
        #expect(released.map(\.waiter) == ["first", "second"])
        #expect(released.allSatisfy { $0.place?.pod == self.pod(2) })
    }

    @Test("A pod that took no connection is tried again after a while")
    func refusedAlone() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 0)
        guard let place = self.place(&held, "a") else { return }
        held.refused(place)
        _ = held.returned(place, by: Self.cluster) { _ in "a" }
        _ = self.arrive(&held, "b")

        #expect(held.retried().map(\.waiter) == ["a", "b"])
        #expect(held.inFlightCount == 2)
    }

    @Test("Who cannot use its place leaves it to others at once, and waits for one in another pod")
    func returned() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].compactMap { self.place(&held, $0) }
        _ = self.arrive(&held, "waiting")
        guard places.count == 2 else { return }

        let returned = held.returned(places[0], by: Self.cluster) { _ in "a again" }
        #expect(returned?.released.map(\.waiter) == ["waiting"])
        #expect(returned?.released.first?.place?.pod == places[0].pod)
        // That pod is free again, and is not what it wants; the other is.
        #expect(held.finished(returned?.released.first?.place, at: .zero).count == 0)
        let released = held.finished(places[1], at: .zero)
        #expect(released.map(\.waiter) == ["a again"])
        #expect(released.first?.place?.pod == places[1].pod)
    }

    @Test("Who found no pod keeps nobody else from going, and tries again when it may have changed")
    func returnedAlone() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 0)
        guard let place = self.place(&held, "unlucky") else { return }
        let returned = held.returned(place, by: Self.cluster) { _ in "unlucky" }
        #expect(returned != nil)

        let other = self.place(&held, "other")
        #expect(held.finished(other, at: .zero).count == 0)
        #expect(held.retried().map(\.waiter) == ["unlucky"])
        #expect(held.inFlightCount == 1)
    }

    @Test("No more than may wait come back either, and who has left is forgotten")
    func returnedBounded() {
        var held = Held(waitingMax: 1, at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 0)
        let places = ["a", "b"].compactMap { self.place(&held, $0) }
        guard places.count == 2 else { return }

        let first = held.returned(places[0], by: Self.cluster) { _ in "a" }
        let second = held.returned(places[1], by: Self.cluster) { _ in "b" }
        #expect(first != nil && second == nil)
        #expect(held.inFlightCount == 1)
        #expect(first.map { held.left($0.id, at: .zero) } == true)
        #expect(held.retried().count == 0)
        #expect(held.waitingCount == 0)
    }

    @Test("Who wants anywhere but to the pod that is free keeps nobody from going there who wants")
    func returnedApart() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].compactMap { self.place(&held, $0) }
        guard places.count == 2 else { return }
        held.refused(places[1])
        _ = held.returned(places[0], by: Self.cluster) { _ in "not the first" }
        guard let other = self.place(&held, "c") else { return }
        #expect(other.pod == places[0].pod)
        _ = held.returned(places[1], by: Self.cluster) { _ in "not the second" }

        #expect(held.finished(other, at: .zero).map(\.waiter) == ["not the second"])
        #expect(held.retried().map(\.waiter) == ["not the first"])
        #expect(held.inFlightCount == 2)
    }

    @Test("A pod that is asked whether it takes connections is not tried again meanwhile")
    func retriedExcept() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 0)
        guard let place = self.place(&held, "a") else { return }
        held.refused(place)
        _ = held.returned(place, by: Self.cluster) { _ in "a" }

        #expect(held.retried(except: [self.pod(1)]).count == 0)
        #expect(held.retried().map(\.waiter) == ["a"])
    }

    @Test("However many find that their pod takes no connection, each costs the same", .timeLimit(.minutes(1)))
    func manyReturned() {
        let count = 200_000
        var held = Held(waitingMax: count, at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 0)
        let places = (0..<count).compactMap { self.place(&held, "\($0)") }
        var ids: [Held.ID] = []
        for place in places {
            held.refused(place)
            if let returned = held.returned(place, by: Self.cluster, { _ in "" }) { ids.append(returned.id) }
        }
        #expect(held.waitingCount == count)

        for id in ids.dropFirst() { _ = held.left(id, at: .zero) }
        #expect(held.retried().map(\.id) == Array(ids.prefix(1)))
    }

    // MARK: Ways

    @Test("Ways lead to their own pods, and a pod of both takes no more for that")
    func subsets() {
        var held = Held(at: .zero)
        let pods = [Self.cluster: self.shares(1, 2), Self.subset: self.shares(1)]
        _ = held.changed(pods, concurrencyMax: 1)

        #expect(self.place(&held, "a", by: Self.subset)?.pod == self.pod(1))
        let other = self.place(&held, "b")
        #expect(other?.pod == self.pod(2))
        _ = self.arrive(&held, "c", by: Self.subset)
        _ = self.arrive(&held, "d")
        // The oldest waits for another pod; it does not keep the next from this one.
        #expect(held.finished(other, at: .zero).map(\.waiter) == ["d"])
    }

    @Test("Whoever has waited longest among those who may go to a pod gets the place in it")
    func oldestFirst() {
        var held = Held(at: .zero)
        let pods = [Self.cluster: self.shares(1), Self.subset: self.shares(1)]
        _ = held.changed(pods, concurrencyMax: 1)
        var place = self.place(&held, "a")
        for (name, cluster) in [("b", Self.subset), ("c", Self.cluster), ("d", Self.subset), ("e", Self.cluster)] {
            _ = self.arrive(&held, name, by: cluster)
        }

        var order: [String] = []
        while let next = held.finished(place, at: .zero).first {
            order.append(next.waiter)
            place = next.place
        }
        #expect(order == ["b", "c", "d", "e"])
    }

    @Test("Who waits by a way that has gone goes, and finds nothing")
    func wayGone() {
        var held = Held(at: .zero)
        _ = held.changed([Self.cluster: [], Self.subset: []], concurrencyMax: 1)
        _ = self.arrive(&held, "a")
        _ = self.arrive(&held, "b", by: Self.subset)

        let released = held.changed([Self.cluster: []], concurrencyMax: 1)
        #expect(released.map(\.waiter) == ["b"])
        #expect(released.first?.place == nil)
        #expect(held.finished(nil, at: .zero).count == 0)
        #expect(held.inFlightCount == 0)
        #expect(held.waitingCount == 1)
    }

    @Test("A preferred pod gets what comes while it has room")
    func preferred() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, 2, concurrency: 2)
        let actions = (0..<3).map { _ in
            held.arrived(by: Self.cluster, preferring: self.pod(2), at: .zero) { _ in "" }.action
        }

        let pods = actions.map { action -> RevisionPod? in
            guard case .go(let place) = action else { return nil }
            return place?.pod
        }
        #expect(pods == [self.pod(2), self.pod(2), self.pod(1)])
    }

    // MARK: Beginning and end

    @Test("The first request is told at once, and all that wait or are under way each second")
    func reports() {
        var held = Held(at: .zero)
        let isFirst = ["a", "b"].map { name in held.arrived(by: Self.cluster, at: .zero) { _ in name }.isFirst }
        #expect(isFirst == [true, false])
        _ = held.report(at: .seconds(1))

        #expect(held.report(at: .seconds(2))?.concurrency == 2)
        let released = self.change(&held, pods: 1, concurrency: 0)
        #expect(held.report(at: .seconds(3))?.concurrency == 2)
        for release in released { _ = held.finished(release.place, at: .seconds(3)) }
        #expect(held.report(at: .seconds(4))?.concurrency == 0)
        #expect(held.report(at: .seconds(5)) == nil)
    }

    @Test("Those who wait with the first request are told early; when none waits nothing is")
    func reportsEarly() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c"] { _ = self.arrive(&held, name) }
        let early = held.reportEarly(at: .zero)
        #expect(early?.concurrency == 2 && early?.requests == 2)

        _ = self.arrive(&held, "d")
        _ = self.change(&held, pods: 1, concurrency: 0)
        #expect(held.reportEarly(at: .zero) == nil)
    }

    @Test("When the revision has gone nobody waits any more")
    func closed() {
        var held = Held(at: .zero)
        _ = self.change(&held, pods: 1, concurrency: 1)
        guard let place = self.place(&held, "before") else { return }
        _ = self.arrive(&held, "a")

        #expect(held.closed().map(\.waiter) == ["a"])
        let returned = held.returned(place, by: Self.cluster) { _ in "before" }
        #expect(returned == nil)
        #expect(self.arrive(&held, "b") == .go(nil))
        #expect(held.finished(place, at: .zero).count == 0)
        for _ in 1...2 { _ = held.finished(nil, at: .zero) }
        #expect(held.inFlightCount == 0)
    }

    @Test("Whatever comes, moves, returns and leaves: no pod has more than it takes, and all places come back")
    func random() {
        var generator = SeededGenerator(seed: 42)
        var held = Held(waitingMax: 40, at: .zero)
        var placed: [(Held.Place, ClusterID)] = []
        var waiting: [Held.ID: ClusterID] = [:]
        func took(_ released: [Held.Release]) {
            for release in released {
                guard let place = release.place, let cluster = waiting.removeValue(forKey: release.id) else {
                    Issue.record("a release without a place, or of one that does not wait")
                    continue
                }
                placed.append((place, cluster))
            }
        }
        for step in 0..<20_000 {
            let cluster = generator.below(3) == 0 ? Self.subset : Self.cluster
            switch generator.below(10) {
            case 0...3:
                switch held.arrived(by: cluster, at: .zero, { _ in "" }).action {
                case .go(.some(let place)): placed.append((place, cluster))
                case .go(.none): Issue.record("nothing has gone")
                case .wait(let id): waiting[id] = cluster
                case .refuse: #expect(held.waitingCount == 40)
                }
            case 4...5 where !placed.isEmpty:
                took(held.finished(placed.remove(at: generator.below(placed.count)).0, at: .zero))
            case 6 where !placed.isEmpty:
                let index = generator.below(placed.count)
                if let moved = held.moved(from: placed[index].0, by: placed[index].1) {
                    placed[index].0 = moved.place
                    took(moved.released)
                }
            case 7 where !placed.isEmpty:
                let index = generator.below(placed.count)
                let (place, cluster) = placed[index]
                if generator.below(2) == 0 { held.refused(place) }
                if let returned = held.returned(place, by: cluster, { _ in "" }) {
                    placed.remove(at: index)
                    took(returned.released)
                    waiting[returned.id] = cluster
                }
            case 8 where !waiting.isEmpty:
                if let id = waiting.keys.min(), generator.below(2) == 0 {
                    #expect(held.left(id, at: .zero) == true)
                    waiting[id] = nil
                } else {
                    took(held.retried())
                }
            default:
                let first = UInt32(generator.below(4))
                let pods = (first...(first + UInt32(generator.below(3)))).map { PodShare(pod: self.pod($0)) }
                took(held.changed([Self.cluster: pods, Self.subset: [pods[0]]], concurrencyMax: 3))
            }
            let counts = Dictionary(grouping: placed) { $0.0.pod }.mapValues(\.count)
            #expect(counts.values.allSatisfy { $0 <= 3 }, "step \(step)")
            #expect(held.inFlightCount == placed.count && held.waitingCount == waiting.count, "step \(step)")
        }
        while let (place, _) = placed.popLast() { took(held.finished(place, at: .zero)) }
        took(held.changed([Self.cluster: self.shares(1), Self.subset: self.shares(1)], concurrencyMax: 0))
        #expect(held.waitingCount == 0)
        while let (place, _) = placed.popLast() { took(held.finished(place, at: .zero)) }
        #expect(held.inFlightCount == 0)
    }
}
