import Serverless
import Testing

@Suite struct RevisionQueueTests {
    private func queue(_ concurrency: Int, lengthMax: Int = 100) -> RevisionQueue<Int> {
        RevisionQueue(containerConcurrency: concurrency, lengthMax: lengthMax, seed: 7)
    }

    @Test("Requests wait while there is no pod, and go in their order as soon as one answers")
    func waits() {
        var queue = self.queue(0)
        for id in 1...3 { #expect(queue.arrived(id, deadline: .seconds(60)) == .wait) }

        let released = queue.podsChanged(["10.0.0.1"])
        #expect(released.map(\.id) == [1, 2, 3])
        #expect(queue.waitingCount == 0)
        #expect(queue.arrived(4, deadline: .seconds(60)) == .forward(to: "10.0.0.1"))
    }

    @Test("One pod gets only what its container takes, and the next request when one has ended")
    func capacity() {
        var queue = self.queue(1)
        for id in 1...3 { _ = queue.arrived(id, deadline: .seconds(60)) }

        #expect(queue.podsChanged(["a"]).map(\.id) == [1])
        #expect(queue.podsChanged(["a", "b"]).map(\.id) == [2])
        let next = queue.finished(at: "a")
        #expect(next.map(\.id) == [3] && next.map(\.address) == ["a"])
        #expect(queue.inFlightCount == 2)
    }

    @Test("As many wait as may; one more is refused")
    func bounded() {
        var queue = self.queue(0, lengthMax: 2)

        #expect((1...3).map { queue.arrived($0, deadline: .seconds(1)) } == [.wait, .wait, .refuse])
    }

    @Test("Who comes later does not overtake who waits")
    func order() {
        var queue = self.queue(1)
        _ = queue.podsChanged(["a"])
        #expect(queue.arrived(1, deadline: .seconds(60)) == .forward(to: "a"))
        #expect(queue.arrived(2, deadline: .seconds(60)) == .wait)
        #expect(queue.arrived(3, deadline: .seconds(60)) == .wait)

        #expect(queue.finished(at: "a").map(\.id) == [2])
    }

    @Test("A request whose client has given up, or gone, is not forwarded")
    func expired() {
        var queue = self.queue(0)
        _ = queue.arrived(1, deadline: .seconds(5))
        _ = queue.arrived(2, deadline: .seconds(9))
        _ = queue.arrived(3, deadline: .seconds(9))

        #expect(queue.expired(at: .seconds(4)).count == 0)
        #expect(queue.expired(at: .seconds(5)) == [1])
        #expect(queue.left(3) == true)
        #expect(queue.left(3) == false)
        #expect(queue.podsChanged(["a"]).map(\.id) == [2])
    }

    @Test("Pods for few requests at once are filled one after the other, larger ones take turns")
    func balances() {
        func forwards(_ concurrency: Int) -> [RevisionQueue<Int>.OnArrival] {
            var queue = self.queue(concurrency)
            _ = queue.podsChanged(["a", "b"])
            return (1...4).map { queue.arrived($0, deadline: .seconds(1)) }
        }

        #expect(forwards(2) == [.forward(to: "a"), .forward(to: "a"), .forward(to: "b"), .forward(to: "b")])
        #expect(forwards(10) == [.forward(to: "b"), .forward(to: "a"), .forward(to: "b"), .forward(to: "a")])
    }

    @Test("Without a limit the less busy of two pods is taken")
    func leastOfTwo() {
        var queue = self.queue(0)
        _ = queue.podsChanged(["a", "b"])
        for id in 1...100 { _ = queue.arrived(id, deadline: .seconds(1)) }
        for _ in 1...40 { _ = queue.finished(at: "a") }

        for id in 101...110 { #expect(queue.arrived(id, deadline: .seconds(1)) == .forward(to: "a")) }
    }

    @Test("What was in flight to a pod that has gone takes no room")
    func podGone() {
        var queue = self.queue(1)
        _ = queue.podsChanged(["a"])
        _ = queue.arrived(1, deadline: .seconds(60))
        _ = queue.arrived(2, deadline: .seconds(60))

        #expect(queue.podsChanged(["b"]).map(\.id) == [2])
        #expect(queue.finished(at: "a").count == 0)
    }

    @Test("A pod that comes back still has what is in flight to it")
    func podComesBack() {
        var queue = self.queue(1)
        _ = queue.podsChanged(["a"])
        _ = queue.arrived(1, deadline: .seconds(60))
        _ = queue.podsChanged([])
        #expect(queue.inFlightCount == 1)
        _ = queue.arrived(2, deadline: .seconds(60))

        #expect(queue.podsChanged(["a"]).count == 0)
        #expect(queue.finished(at: "a").map(\.id) == [2])
    }

    @Test("What ends while its pod is away takes no room when it comes back")
    func endsMeanwhile() {
        var queue = self.queue(1)
        _ = queue.podsChanged(["a"])
        _ = queue.arrived(1, deadline: .seconds(60))
        _ = queue.podsChanged([])
        _ = queue.finished(at: "a")

        #expect(queue.inFlightCount == 0)
        _ = queue.podsChanged(["a"])
        #expect(queue.arrived(2, deadline: .seconds(60)) == .forward(to: "a"))
    }

    @Test("Ten thousand that wait are let go in order")
    func many() {
        var queue = self.queue(1, lengthMax: 10_000)
        for id in 0..<10_000 { _ = queue.arrived(id, deadline: .seconds(60)) }
        var order = queue.podsChanged(["a"]).map(\.id)
        while order.count < 10_000 { order += queue.finished(at: "a").map(\.id) }

        #expect(order == Array(0..<10_000))
    }
}
