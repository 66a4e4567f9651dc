import MeshModel
import ProxyRuntime
import Testing

@Suite struct NamedAnswersTests {
    private static let one = IPAddress.v4(0x0A00_0001)
    private static let two = IPAddress.v4(0x0A00_0002)
    /// The tick at which what was answered at 0 is so many seconds old.
    private static func tick(_ seconds: Int) -> Int { Tick.after(.seconds(seconds), now: 0) }

    private var answers = NamedAnswers()

    @Test("A name is asked for once, however many want it, and its addresses are used in turn")
    mutating func asksOnce() {
        let first = self.answers.choose("a.test", now: 0)
        let second = self.answers.choose("a.test", now: 1)
        self.answers.answered("a.test", ResolvedName(addresses: [Self.one, Self.two], ttl: .seconds(60)), now: 2)
        let used = (0..<4).map { _ in self.answers.choose("a.test", now: 3).choice }

        #expect(first == (.unresolved, true) && second == (.unresolved, false))
        #expect(used == [.address(Self.two), .address(Self.one), .address(Self.two), .address(Self.one)])
    }

    @Test("An answer out of date serves on while there is a new question, and after one that nobody answered")
    mutating func servesStale() {
        _ = self.answers.choose("a.test", now: 0)
        self.answers.answered("a.test", ResolvedName(addresses: [Self.one], ttl: .seconds(2)), now: 0)

        #expect(self.answers.choose("a.test", now: Self.tick(2) - 1) == (.address(Self.one), false))
        #expect(self.answers.choose("a.test", now: Self.tick(2)) == (.address(Self.one), true))
        self.answers.answered("a.test", ResolvedName(addresses: [], ttl: nil), now: Self.tick(2))
        #expect(self.answers.choose("a.test", now: Self.tick(2) + 1) == (.address(Self.one), false))
    }

    @Test("A name without an address has none for a while, and is asked for again then")
    mutating func noAddress() {
        _ = self.answers.choose("a.test", now: 0)
        self.answers.answered("a.test", ResolvedName(addresses: [], ttl: .seconds(3)), now: 0)

        #expect(self.answers.choose("a.test", now: 1) == (.none, false))
        #expect(self.answers.choose("a.test", now: Self.tick(3)) == (.unresolved, true))
    }

    @Test("That a name has no address any more is believed")
    mutating func forgetsDenied() {
        _ = self.answers.choose("a.test", now: 0)
        self.answers.answered("a.test", ResolvedName(addresses: [Self.one], ttl: .seconds(1)), now: 0)
        _ = self.answers.choose("a.test", now: Self.tick(1))
        self.answers.answered("a.test", ResolvedName(ttl: .seconds(3), isDenied: true), now: Self.tick(1))

        #expect(self.answers.choose("a.test", now: Self.tick(1) + 1) == (.none, false))
    }

    @Test("Names are bounded; one that is being asked for is not forgotten")
    mutating func isBounded() {
        var answers = NamedAnswers(entriesMax: 2)
        _ = answers.choose("asked.test", now: 0)
        _ = answers.choose("old.test", now: 1)
        answers.answered("old.test", ResolvedName(addresses: [Self.one], ttl: .seconds(60)), now: 1)

        _ = answers.choose("new.test", now: 2)

        #expect(answers.count == 2)
        #expect(answers.choose("asked.test", now: 3) == (.unresolved, false))
    }
}
