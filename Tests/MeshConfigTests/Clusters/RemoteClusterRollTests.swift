import MeshConfig
import Testing

@Suite struct RemoteClusterRollTests {
    private static func sync(_ roll: inout RemoteClusterRoll, connection: UInt64) -> [Bool] {
        RemoteCluster.kinds.map { roll.synced($0, of: "west", connection: connection) }
    }

    @Test("The first snapshot waits for clusters that do not answer, not only for those that do")
    func waits() {
        var roll = RemoteClusterRoll()
        #expect(!roll.isSettled)
        let connection = roll.begun("west", secret: "a")
        roll.known(["west"])

        let isNews = roll.failed("west", "refused", connection: connection)

        #expect(isNews && !roll.isSettled)
        let joined = Self.sync(&roll, connection: connection)
        #expect(joined == [false, false, false, false, true])
        #expect(roll.isSettled)
    }

    @Test("Nobody waits for a cluster that is gone, or of which nothing can come")
    func hopeless() {
        var roll = RemoteClusterRoll()
        let broken = roll.begun("broken", secret: "a")
        let isNews = roll.gaveUp("broken", "no server", connection: broken)
        #expect(isNews)
        roll.known(["broken", "gone"])

        #expect(!roll.isSettled)
        roll.removed("gone")

        #expect(roll.isSettled)
        #expect(roll.statuses.map(\.state) == [.error])
    }

    @Test("A cluster stays known when its token is renewed, as what was known of it stays in use")
    func renewed() {
        var roll = RemoteClusterRoll()
        let first = roll.begun("west", secret: "a")
        _ = Self.sync(&roll, connection: first)

        let second = roll.begun("west", secret: "a")
        #expect(roll.statuses.map(\.state) == [.synced])
        _ = roll.failed("west", "unauthorized", connection: second)

        #expect(roll.statuses.map(\.isKnown) == [true])
        #expect(roll.statuses.map(\.state) == [.error])
    }

    @Test("What an earlier connection says counts for nothing")
    func earlier() {
        var roll = RemoteClusterRoll()
        let first = roll.begun("west", secret: "a")
        let second = roll.begun("west", secret: "a")
        roll.found(server: "https://two", of: "west", connection: second)

        roll.found(server: "https://one", of: "west", connection: first)
        let late = [
            Self.sync(&roll, connection: first), [roll.failed("west", "refused", connection: first)],
            [roll.gaveUp("west", "refused", connection: first)],
        ]

        #expect(!late.joined().contains(true))
        #expect(roll.statuses.map(\.state) == [.connecting])
        #expect(roll.statuses.map(\.server) == ["https://two"])
        let failed = roll.failed("west", "refused", connection: second)
        let answered = [roll.answered("west", connection: first), roll.answered("west", connection: second)]
        #expect(failed && answered == [false, true])
    }
}
