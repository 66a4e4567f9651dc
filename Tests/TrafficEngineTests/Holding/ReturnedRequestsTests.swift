import MeshModel
import Testing
import TrafficEngine

/// Requests that have a place and want one in another pod: theirs takes no connection, or another has more room.
@Suite struct ReturnedRequestsTests {
    private typealias Held = HeldRequests<String>

    @Test("Who wants another pod moves there if it has room, and leaves its place to who waits for that")
    func moves() {
        var held = Held(at: .zero)
        let pods = [Held.cluster: Held.shares(1, 2), Held.subset: Held.shares(1)]
        _ = held.changed([Held.cluster: Held.shares(1), Held.subset: Held.shares(1)], concurrencyMax: 1)
        guard let place = held.place("restless") else { return }
        _ = held.arrive("patient", by: Held.subset)
        let isAlone = held.moved(from: place, by: Held.cluster) == nil
        #expect(isAlone)

        #expect(held.changed(pods, concurrencyMax: 1).count == 0)
        let movedNow = held.moved(from: place, by: Held.cluster)
        #expect(movedNow?.place.pod == Held.pod(2))
        #expect(movedNow?.released.map(\.waiter) == ["patient"])
        #expect(movedNow?.released.first?.place?.pod == Held.pod(1))
        #expect(held.inFlightCount == 2)
    }

    @Test("A pod that takes no connection gets nobody; who was there waits for another, before those who came later")
    func refused() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, concurrency: 2)
        guard let place = held.place("first") else { return }
        held.refused(place)
        #expect(held.arrive("second") != .go(place))
        let returned = held.returned(place, by: Held.cluster) { _ in "first" }
        #expect(returned?.released.isEmpty == true)
        #expect(held.waitingCount == 2)

        let released = held.change(pods: 2, concurrency: 2)
        #expect(released.map(\.waiter) == ["first", "second"])
        #expect(released.allSatisfy { $0.place?.pod == Held.pod(2) })
    }

    @Test("A pod that took no connection is tried again after a while")
    func refusedAlone() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, concurrency: 0)
        guard let place = held.place("a") else { return }
        held.refused(place)
        _ = held.returned(place, by: Held.cluster) { _ in "a" }
        _ = held.arrive("b")

        #expect(held.retried().map(\.waiter) == ["a", "b"])
        #expect(held.inFlightCount == 2)
    }

    @Test("Who cannot use its place leaves it to others at once, and waits for one in another pod")
    func returned() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].compactMap { held.place($0) }
        _ = held.arrive("waiting")
        guard places.count == 2 else { return }

        let returned = held.returned(places[0], by: Held.cluster) { _ in "a again" }
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
        _ = held.change(pods: 1, concurrency: 0)
        guard let place = held.place("unlucky") else { return }
        let returned = held.returned(place, by: Held.cluster) { _ in "unlucky" }
        #expect(returned != nil)

        let other = held.place("other")
        #expect(held.finished(other, at: .zero).count == 0)
        #expect(held.retried().map(\.waiter) == ["unlucky"])
        #expect(held.inFlightCount == 1)
    }

    @Test("No more than may wait come back either, and who has left is forgotten")
    func returnedBounded() {
        var held = Held(waitingMax: 1, at: .zero)
        _ = held.change(pods: 1, concurrency: 0)
        let places = ["a", "b"].compactMap { held.place($0) }
        guard places.count == 2 else { return }

        let first = held.returned(places[0], by: Held.cluster) { _ in "a" }
        let second = held.returned(places[1], by: Held.cluster) { _ in "b" }
        #expect(first != nil && second == nil)
        #expect(held.inFlightCount == 1)
        #expect(first.map { held.left($0.id, at: .zero) } == true)
        #expect(held.retried().count == 0)
        #expect(held.waitingCount == 0)
    }

    @Test("Who wants anywhere but to the pod that is free keeps nobody from going there who wants")
    func returnedApart() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, 2, concurrency: 1)
        let places = ["a", "b"].compactMap { held.place($0) }
        guard places.count == 2 else { return }
        held.refused(places[1])
        _ = held.returned(places[0], by: Held.cluster) { _ in "not the first" }
        guard let other = held.place("c") else { return }
        #expect(other.pod == places[0].pod)
        _ = held.returned(places[1], by: Held.cluster) { _ in "not the second" }

        #expect(held.finished(other, at: .zero).map(\.waiter) == ["not the second"])
        #expect(held.retried().map(\.waiter) == ["not the first"])
        #expect(held.inFlightCount == 2)
    }

    @Test("A pod that is asked whether it takes connections is not tried again meanwhile")
    func retriedExcept() {
        var held = Held(at: .zero)
        _ = held.change(pods: 1, concurrency: 0)
        guard let place = held.place("a") else { return }
        held.refused(place)
        _ = held.returned(place, by: Held.cluster) { _ in "a" }

        #expect(held.retried(except: [Held.pod(1)]).count == 0)
        #expect(held.retried().map(\.waiter) == ["a"])
    }

    @Test("However many find that their pod takes no connection, each costs the same", .timeLimit(.minutes(1)))
    func manyReturned() {
        let count = 200_000
        var held = Held(waitingMax: count, at: .zero)
        _ = held.change(pods: 1, concurrency: 0)
        let places = (0..<count).compactMap { held.place("\($0)") }
        var ids: [Held.ID] = []
        for place in places {
            held.refused(place)
            if let returned = held.returned(place, by: Held.cluster, { _ in "" }) { ids.append(returned.id) }
        }
        #expect(held.waitingCount == count)

        for id in ids.dropFirst() { _ = held.left(id, at: .zero) }
        #expect(held.retried().map(\.id) == Array(ids.prefix(1)))
    }
}
