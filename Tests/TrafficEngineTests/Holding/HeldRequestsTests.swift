import MeshModel
import Testing
import TrafficEngine

@Suite struct HeldRequestsTests {
    private typealias Held = HeldRequests<String>

    // MARK: Reports

    @Test("A request that somebody else has reported is told apart while it waits, in its pod, and when it leaves")
    func proxied() {
        var held = Held(tellsFirst: false, at: .zero)
        _ = held.changed([Held.cluster: [PodShare(pod: .own)]], concurrencyMax: 1)
        let arrivals = [true, false, true].map {
            held.arrived(by: Held.cluster, isProxied: $0, at: .zero) { _ in "" }
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
        for name in ["a", "b", "c"] { _ = held.arrive(name) }
        #expect(held.waitingCount == 3)

        let released = held.change(pods: 1, concurrency: 0)
        #expect(released.map(\.waiter) == ["a", "b", "c"])
        #expect(released.allSatisfy { $0.place?.pod == Held.pod(1) })
        #expect(held.place("d")?.pod == Held.pod(1))
        #expect(held.inFlightCount == 4)
    }

    @Test("No pod gets more than it takes, and the next request when one in it has ended")
    func capacity() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c", "d", "e"] { _ = held.arrive(name) }

        let first = held.change(pods: 1, concurrency: 2)
        #expect(first.map(\.waiter) == ["a", "b"])
        #expect(held.finished(first[0].place, at: .zero).map(\.waiter) == ["c"])
        // A pod comes while the other is full: it alone has room.
        let second = held.change(pods: 1, 2, concurrency: 2)
        #expect(second.map(\.waiter) == ["d", "e"])
        #expect(second.allSatisfy { $0.place?.pod == Held.pod(2) })
        #expect(held.arrive("f") != .go(nil))
        #expect(held.waitingCount == 1)
    }

    @Test("A burst that waits is spread evenly over the pods that come")
    func spread() {
        var held = Held(at: .zero)
        for number in 0..<200 { _ = held.arrive("\(number)") }

        let released = held.change(pods: 1, 2, 3, 4, concurrency: 50)
        #expect(released.count == 200)
        #expect((1...4).map { pod in released.count { $0.place?.pod == Held.pod(pod) } } == [50, 50, 50, 50])
    }

    @Test("A pod that goes takes its places along; those in it end there, and nobody comes after them")
    func podGone() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].map { held.place($0) }
        _ = held.arrive("c")
        guard let old = places.first(where: { $0?.pod == Held.pod(1) }) else {
            Issue.record("both pods have one")
            return
        }

        #expect(held.change(pods: 2, concurrency: 1).count == 0)
        #expect(held.finished(old, at: .zero).count == 0)
        // Back again, empty.
        let released = held.change(pods: 1, 2, concurrency: 1)
        #expect(released.map(\.waiter) == ["c"])
        #expect(released.first?.place?.pod == Held.pod(1))
    }

    @Test("Who has left gets no place; who was let go before it left gives its place back")
    func left() {
        var held = Held(at: .zero)
        guard case .wait(let gone) = held.arrive("gone"), case .wait(let letGo) = held.arrive("let go")
        else {
            Issue.record("both wait")
            return
        }

        #expect(held.left(gone, at: .zero) == true)
        let released = held.change(pods: 1, concurrency: 1)
        #expect(released.map(\.waiter) == ["let go"])
        #expect(held.left(letGo, at: .zero) == false)
        #expect(held.finished(released.first?.place, at: .zero).count == 0)
        #expect(held.inFlightCount == 0)
        #expect(held.place("next") != nil)
    }

    @Test("As many wait as may, over all ways; one more is refused")
    func bounded() {
        var held = Held(waitingMax: 2, at: .zero)
        _ = held.arrive("a")
        _ = held.arrive("b", by: Held.subset)

        #expect(held.arrive("c") == .refuse)
        #expect(held.arrive("d", by: Held.subset) == .refuse)
    }

    @Test("Those who come and give up again and again leave nothing behind")
    func manyLeave() {
        var held = Held(waitingMax: 10, at: .zero)
        _ = held.arrive("patient")
        for _ in 1...1000 {
            guard case .wait(let id) = held.arrive("x") else { continue }
            _ = held.left(id, at: .zero)
        }

        #expect(held.waitingCount == 1)
        #expect(held.change(pods: 1, concurrency: 1).map(\.waiter) == ["patient"])
    }

    // MARK: Ways

    @Test("Ways lead to their own pods, and a pod of both takes no more for that")
    func subsets() {
        var held = Held(at: .zero)
        let pods = [Held.cluster: Held.shares(1, 2), Held.subset: Held.shares(1)]
        _ = held.changed(pods, concurrencyMax: 1)

        #expect(held.place("a", by: Held.subset)?.pod == Held.pod(1))
        let other = held.place("b")
        #expect(other?.pod == Held.pod(2))
        _ = held.arrive("c", by: Held.subset)
        _ = held.arrive("d")
        // The oldest waits for another pod; it does not keep the next from this one.
        #expect(held.finished(other, at: .zero).map(\.waiter) == ["d"])
    }

    @Test("Whoever has waited longest among those who may go to a pod gets the place in it")
    func oldestFirst() {
        var held = Held(at: .zero)
        let pods = [Held.cluster: Held.shares(1), Held.subset: Held.shares(1)]
        _ = held.changed(pods, concurrencyMax: 1)
        var place = held.place("a")
        for (name, cluster) in [("b", Held.subset), ("c", Held.cluster), ("d", Held.subset), ("e", Held.cluster)] {
            _ = held.arrive(name, by: cluster)
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
        _ = held.changed([Held.cluster: [], Held.subset: []], concurrencyMax: 1)
        _ = held.arrive("a")
        _ = held.arrive("b", by: Held.subset)

        let released = held.changed([Held.cluster: []], concurrencyMax: 1)
        #expect(released.map(\.waiter) == ["b"])
        #expect(released.first?.place == nil)
        #expect(held.finished(nil, at: .zero).count == 0)
        #expect(held.inFlightCount == 0)
        #expect(held.waitingCount == 1)
    }

    @Test("A preferred pod gets what comes while it has room")
    func preferred() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, 2, concurrency: 2)
        let actions = (0..<3).map { _ in
            held.arrived(by: Held.cluster, preferring: Held.pod(2), at: .zero) { _ in "" }.action
        }

        let pods = actions.map { action -> RevisionPod? in
            guard case .go(let place) = action else { return nil }
            return place?.pod
        }
        #expect(pods == [Held.pod(2), Held.pod(2), Held.pod(1)])
    }

    // MARK: Beginning and end

    @Test("The first request is told at once, and all that wait or are under way each second")
    func reports() {
        var held = Held(at: .zero)
        let isFirst = ["a", "b"].map { name in held.arrived(by: Held.cluster, at: .zero) { _ in name }.isFirst }
        #expect(isFirst == [true, false])
        _ = held.report(at: .seconds(1))

        #expect(held.report(at: .seconds(2))?.concurrency == 2)
        let released = held.change(pods: 1, concurrency: 0)
        #expect(held.report(at: .seconds(3))?.concurrency == 2)
        for release in released { _ = held.finished(release.place, at: .seconds(3)) }
        #expect(held.report(at: .seconds(4))?.concurrency == 0)
        #expect(held.report(at: .seconds(5)) == nil)
    }

    @Test("Those who wait with the first request are told early; when none waits nothing is")
    func reportsEarly() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c"] { _ = held.arrive(name) }
        let early = held.reportEarly(at: .zero)
        #expect(early?.concurrency == 2 && early?.requests == 2)

        _ = held.arrive("d")
        _ = held.change(pods: 1, concurrency: 0)
        #expect(held.reportEarly(at: .zero) == nil)
    }

    @Test("When the revision has gone nobody waits any more")
    func closed() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, concurrency: 1)
        guard let place = held.place("before") else { return }
        _ = held.arrive("a")

        #expect(held.closed().map(\.waiter) == ["a"])
        let returned = held.returned(place, by: Held.cluster) { _ in "before" }
        #expect(returned == nil)
        #expect(held.arrive("b") == .go(nil))
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
            let cluster = generator.below(3) == 0 ? Held.subset : Held.cluster
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
                let pods = (first...(first + UInt32(generator.below(3)))).map { PodShare(pod: Held.pod($0)) }
                took(held.changed([Held.cluster: pods, Held.subset: [pods[0]]], concurrencyMax: 3))
            }
            let counts = Dictionary(grouping: placed) { $0.0.pod }.mapValues(\.count)
            #expect(counts.values.allSatisfy { $0 <= 3 }, "step \(step)")
            #expect(held.inFlightCount == placed.count && held.waitingCount == waiting.count, "step \(step)")
        }
        while let (place, _) = placed.popLast() { took(held.finished(place, at: .zero)) }
        took(held.changed([Held.cluster: Held.shares(1), Held.subset: Held.shares(1)], concurrencyMax: 0))
        #expect(held.waitingCount == 0)
        while let (place, _) = placed.popLast() { took(held.finished(place, at: .zero)) }
        #expect(held.inFlightCount == 0)
    }
}
