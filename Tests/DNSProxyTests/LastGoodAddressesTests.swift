import DNSProxy
import MeshModel
import Testing

@Suite struct LastGoodAddressesTests {
    private let one = [IPAddress.v4(0x0A00_0001)]
    private let two = [IPAddress.v4(0x0A00_0002)]

    @Test("When nobody answers the last good answer goes on, and questions come at growing distances")
    func lastGood() {
        var cache = LastGoodAddresses()
        _ = cache.answered("a", .found(self.one, ttl: .seconds(5)), now: .zero, jitter: 0)

        let pauses = (0..<7).map { number in
            cache.answered("a", .failed, now: .seconds(10 + number * 100), jitter: 0)
        }

        #expect(pauses.allSatisfy { $0.addresses == self.one })
        #expect(pauses.map(\.ttl) == [1, 2, 4, 8, 16, 32, 32].map { .seconds($0) })
        let back = cache.answered("a", .found(self.two, ttl: .seconds(5)), now: .seconds(900), jitter: 0)
        #expect(back.addresses == self.two)
        #expect(cache.answered("a", .failed, now: .seconds(901), jitter: 0).ttl == .seconds(1))
    }

    @Test("That a name does not exist is believed, for its negative TTL, a minute at most")
    func negative() {
        var cache = LastGoodAddresses()
        _ = cache.answered("a", .found(self.one, ttl: .seconds(5)), now: .zero, jitter: 0)

        let gone = cache.answered("a", .notFound(ttl: .seconds(900)), now: .seconds(6), jitter: 0)

        #expect(gone == .init(addresses: [], ttl: .seconds(60), isDenied: true))
        #expect(cache.answered("b", .failed, now: .seconds(6), jitter: 0).isDenied == false)
        #expect(cache.answered("a", .failed, now: .seconds(65), jitter: 0).addresses.isEmpty)
    }

    @Test("TTLs are kept between a second and an hour", arguments: [(0, 1), (1, 1), (3600, 3600), (86_400, 3600)])
    func bounds(_ ttl: Int, _ expected: Int) {
        var cache = LastGoodAddresses()

        let answer = cache.answered("a", .found(self.one, ttl: .seconds(ttl)), now: .zero, jitter: 0)

        #expect(answer.ttl == .seconds(expected))
    }

    @Test("Jitter asks up to a tenth earlier, never later")
    func jitter() {
        var cache = LastGoodAddresses()

        let answer = cache.answered("a", .found(self.one, ttl: .seconds(100)), now: .zero, jitter: 1)

        #expect(answer.ttl == .seconds(90))
    }

    @Test("Names are bounded: the one that was not asked for the longest goes")
    func bounded() {
        var cache = LastGoodAddresses(entriesMax: 2)
        _ = cache.answered("a", .found(self.one, ttl: .seconds(100)), now: .zero, jitter: 0)
        _ = cache.answered("b", .found(self.one, ttl: .seconds(100)), now: .seconds(1), jitter: 0)
        _ = cache.answered("a", .found(self.one, ttl: .seconds(100)), now: .seconds(2), jitter: 0)

        _ = cache.answered("c", .found(self.one, ttl: .seconds(100)), now: .seconds(3), jitter: 0)

        #expect(cache.count == 2)
        #expect(cache.answered("a", .failed, now: .seconds(4), jitter: 0).addresses == self.one)
        #expect(cache.answered("b", .failed, now: .seconds(4), jitter: 0).addresses.isEmpty)
    }
}
