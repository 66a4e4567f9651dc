import Serverless
import Synchronization
import Testing

@Suite struct ClientPresenceTests {
    private final class Count: Sendable {
        let value = Mutex(0)
        func up() { self.value.withLock { $0 += 1 } }
    }

    @Test("Who watches is told once when the client leaves, whichever came first")
    func told() {
        let (before, after) = (Count(), Count())
        let presence = ClientPresence()
        presence.watch { before.up() }
        #expect(!presence.hasLeft)

        // The client closes its side, then the connection ends.
        presence.left()
        presence.left()
        presence.watch { after.up() }
        #expect(presence.hasLeft)
        #expect([before, after].map { $0.value.withLock { $0 } } == [1, 1])
    }

    @Test("Who does not want to know any more is not told")
    func unwatched() {
        let count = Count()
        let presence = ClientPresence()
        presence.watch { count.up() }
        presence.unwatch()

        presence.left()
        #expect(count.value.withLock { $0 } == 0)
    }
}
