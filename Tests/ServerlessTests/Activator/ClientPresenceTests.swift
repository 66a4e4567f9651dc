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

    /// Never ends by itself.
    private static func hang() async throws -> Int {
        let (stream, bell) = AsyncStream<Void>.makeStream()
        for await _ in stream {}
        bell.finish()
        throw CancellationError()
    }

    @Test("What is done for a client is cancelled when the client leaves, however long it would take")
    func leavesMeanwhile() async throws {
        let (presence, ended) = (ClientPresence(), Count())
        let (begun, begin) = AsyncStream<Void>.makeStream()

        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: ClientPresence.GivenUp.clientLeft) {
                    try await presence.whileThere(limit: .seconds(3600)) {
                        defer { ended.up() }
                        begin.yield()
                        return try await Self.hang()
                    }
                }
            }
            for await _ in begun { break }
            presence.left()
        }
        #expect(ended.value.withLock { $0 } == 1)
    }

    @Test("Nothing is done for long for a client that has left before, or whose time has run out")
    func tooLate() async {
        let (gone, patient) = (ClientPresence(), ClientPresence())
        gone.left()

        await #expect(throws: ClientPresence.GivenUp.clientLeft) {
            try await gone.whileThere(limit: .seconds(3600)) { try await Self.hang() }
        }
        await #expect(throws: ClientPresence.GivenUp.late) {
            try await patient.whileThere(limit: .zero) { try await Self.hang() }
        }
    }

    @Test("What has been done for a client is given, and nobody watches it any more")
    func done() async throws {
        let presence = ClientPresence()

        #expect(try await presence.whileThere(limit: .seconds(3600)) { 7 } == 7)
        await #expect(throws: CancellationError.self) {
            try await presence.whileThere(limit: .seconds(3600)) { () -> Int in throw CancellationError() }
        }
        presence.left()
    }
}
