import Testing
import TrafficEngine

@Suite struct HeldRequestsTests {
    private typealias Held = HeldRequests<String>

    private func arrive(_ held: inout Held, _ name: String) -> Held.OnArrival {
        held.arrived(at: .zero) { _ in name }.action
    }

    @Test("Requests wait while there is no endpoint, and go in their order when there is one")
    func order() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c"] { _ = self.arrive(&held, name) }
        #expect(held.waitingCount == 3)

        #expect(held.changed(endpointCount: 1, concurrencyMax: 0).map(\.waiter) == ["a", "b", "c"])
        #expect(self.arrive(&held, "d") == .go)
        #expect(held.inFlightCount == 4)
    }

    @Test("No more go than the endpoints take, and the next one when one has ended")
    func capacity() {
        var held = Held(at: .zero)
        for name in ["a", "b", "c", "d"] { _ = self.arrive(&held, name) }

        #expect(held.changed(endpointCount: 1, concurrencyMax: 2).map(\.waiter) == ["a", "b"])
        #expect(held.finished(at: .zero).map(\.waiter) == ["c"])
        #expect(held.changed(endpointCount: 2, concurrencyMax: 2).map(\.waiter) == ["d"])
        #expect(self.arrive(&held, "e") == .go)
        #expect(self.arrive(&held, "f") != .go)
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
        #expect(held.changed(endpointCount: 1, concurrencyMax: 1).map(\.waiter) == ["let go"])
        #expect(held.left(letGo, at: .zero) == false)
        #expect(held.finished(at: .zero).count == 0)
        #expect(held.inFlightCount == 0)
    }

    @Test("Who found no endpoint after all goes before the others when there are some")
    func returned() {
        var held = Held(at: .zero)
        _ = held.changed(endpointCount: 1, concurrencyMax: 1)
        #expect(self.arrive(&held, "first") == .go)
        _ = self.arrive(&held, "second")

        let id = held.returned { _ in "first again" }
        #expect(id != nil)
        #expect(held.changed(endpointCount: 1, concurrencyMax: 1).map(\.waiter) == ["first again"])
    }

    @Test("Who found no endpoint is not let go again until something changes, and keeps nobody else from going")
    func returnedAlone() {
        var held = Held(at: .zero)
        _ = held.changed(endpointCount: 1, concurrencyMax: 0)
        _ = self.arrive(&held, "unlucky")
        let id = held.returned { _ in "unlucky" }
        #expect(id != nil)

        #expect(self.arrive(&held, "other") == .go)
        #expect(held.finished(at: .zero).count == 0)
        #expect(held.retried().map(\.waiter) == ["unlucky"])
        #expect(held.inFlightCount == 1)
    }

    @Test("No more than may wait come back either")
    func returnedBounded() {
        var held = Held(waitingMax: 1, at: .zero)
        _ = held.changed(endpointCount: 1, concurrencyMax: 0)
        for name in ["a", "b"] { _ = self.arrive(&held, name) }

        let ids = ["a", "b"].map { name in held.returned { _ in name } }
        #expect(ids.map { $0 == nil } == [false, true])
        #expect(held.inFlightCount == 1)
    }

    @Test("As many wait as may; one more is refused")
    func bounded() {
        var held = Held(waitingMax: 1, at: .zero)
        _ = self.arrive(&held, "a")

        #expect(self.arrive(&held, "b") == .refuse)
    }

    @Test("The first request is told at once, and all that wait or are under way each second")
    func reports() {
        var held = Held(at: .zero)
        let isFirst = ["a", "b"].map { name in held.arrived(at: .zero) { _ in name }.isFirst }
        #expect(isFirst == [true, false])
        _ = held.report(at: .seconds(1))

        #expect(held.report(at: .seconds(2))?.concurrency == 2)
        _ = held.changed(endpointCount: 1, concurrencyMax: 0)
        #expect(held.report(at: .seconds(3))?.concurrency == 2)
        for _ in 1...2 { _ = held.finished(at: .seconds(3)) }
        #expect(held.report(at: .seconds(4))?.concurrency == 0)
        #expect(held.report(at: .seconds(5)) == nil)
    }

    @Test("When the revision has gone nobody waits any more")
    func closed() {
        var held = Held(at: .zero)
        _ = self.arrive(&held, "a")

        #expect(held.closed().map(\.waiter) == ["a"])
        let id = held.returned { _ in "a again" }
        #expect(id == nil)
        #expect(self.arrive(&held, "b") == .go)
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
        #expect(held.changed(endpointCount: 1, concurrencyMax: 1).map(\.waiter) == ["patient"])
    }
}
