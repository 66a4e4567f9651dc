import DNSProxy
import DNSWire
import MeshTestSupport
import Testing

@Suite struct AnswerCacheTests {
    static func key(_ name: String, flags: UInt16 = 0x0100) throws -> AnswerCache.Key {
        AnswerCache.Key(question: try CleanAnswerTests.question(name), flags: flags)
    }

    static func answer(_ name: String, ttl: UInt32 = 60, count: Int = 1) throws -> KeptAnswer {
        let message = CleanAnswerTests.message(
            try (0..<count).map { try CleanAnswerTests.address(name, UInt32($0), ttl: ttl) }
        )
        let clean = try #require(CleanAnswer(message, to: try CleanAnswerTests.question(name)))
        return try #require(KeptAnswer(clean))
    }

    /// A word for what was found; of an answer that holds, when it came.
    private static func word(_ found: AnswerCache.Found) -> String {
        switch found {
        case .nothing: "nothing"
        case .fresh(_, let came, let refresh): "fresh \(came.components.seconds)\(refresh ? " refresh" : "")"
        case .stale(_, let ask): ask ? "stale ask" : "stale"
        case .failing: "failing"
        }
    }

    @Test("An answer holds for its time and not a moment longer, then it is out of date, and then it is gone")
    func times() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        cache.store(try Self.answer("a.test"), for: key, now: .seconds(5))

        let words = [5_000, 64_999, 65_000, 86_400_000 + 64_999, 86_400_000 + 65_000].map {
            Self.word(cache.found(key, now: .milliseconds($0)))
        }

        #expect(words == ["fresh 5", "fresh 5", "stale ask", "stale ask", "nothing"])
        #expect(cache.count == 0 && cache.bytes == 0)
    }

    @Test("Names are the same in any case; questions with other flags are others")
    func keys() throws {
        var cache = AnswerCache()
        cache.store(try Self.answer("a.test"), for: try Self.key("a.test"), now: .zero)

        #expect(Self.word(cache.found(try Self.key("A.TEST"), now: .zero)) == "fresh 0")
        #expect(Self.word(cache.found(try Self.key("a.test", flags: 0x8100), now: .zero)) == "nothing")
        #expect(Self.word(cache.found(try Self.key("b.test"), now: .zero)) == "nothing")
    }

    @Test("What may not be kept is not kept, and replaces what was")
    func zero() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        cache.store(try Self.answer("a.test"), for: key, now: .zero)

        cache.store(try Self.answer("a.test", ttl: 0), for: key, now: .zero)

        #expect(Self.word(cache.found(key, now: .zero)) == "nothing" && cache.bytes == 0)
    }

    @Test("When nobody answers the old answer is given, and nobody is asked for a while")
    func stale() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        cache.store(try Self.answer("a.test"), for: key, now: .zero)

        #expect(cache.failed(key, now: .seconds(70)) != nil)

        #expect(Self.word(cache.found(key, now: .milliseconds(99_999))) == "stale")
        #expect(Self.word(cache.found(key, now: .seconds(100))) == "stale ask")
        #expect(cache.failed(key, now: .seconds(100)) != nil)
        cache.forgetFailures()
        #expect(Self.word(cache.found(key, now: .seconds(101))) == "stale ask")
    }

    @Test("That nobody answers is remembered at growing distances, until somebody is back")
    func failures() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        var now = Duration.zero
        var pauses: [Duration] = []
        for _ in 0..<5 {
            #expect(cache.failed(key, now: now) == nil)
            let start = now
            while Self.word(cache.found(key, now: now)) == "failing" { now += .milliseconds(500) }
            pauses.append(now - start)
        }

        #expect(pauses == [1, 2, 4, 8, 8].map { .seconds($0) })
        _ = cache.failed(key, now: now)
        cache.forgetFailures()
        #expect(Self.word(cache.found(key, now: now)) == "nothing" && cache.bytes == 0)
    }

    @Test("A popular answer is asked for again in the last tenth of its time")
    func refresh() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        cache.store(try Self.answer("a.test", ttl: 100), for: key, now: .zero)

        #expect(Self.word(cache.found(key, now: .seconds(95))) == "fresh 0")
        #expect(Self.word(cache.found(key, now: .seconds(90))) == "fresh 0")
        #expect(Self.word(cache.found(key, now: .seconds(90))) == "fresh 0")
        #expect(Self.word(cache.found(key, now: .milliseconds(90_001))) == "fresh 0 refresh")
    }

    @Test("With other servers all answers are out of date")
    func outdate() throws {
        var cache = AnswerCache()
        let key = try Self.key("a.test")
        cache.store(try Self.answer("a.test"), for: key, now: .zero)

        cache.outdate(now: .seconds(1))

        #expect(Self.word(cache.found(key, now: .seconds(1))) == "stale ask")
    }

    @Test("It holds so many bytes and no more; what was not used the longest goes first")
    func bounded() throws {
        var options = AnswerCache.Options()
        options.bytesMax = 16_384
        var cache = AnswerCache(options: options)
        let names = (0..<200).map { "n\($0).test" }
        for name in names {
            cache.store(try Self.answer(name), for: try Self.key(name), now: .zero)
            // The first is used all the time.
            _ = cache.found(try Self.key("n0.test"), now: .zero)
            #expect(cache.bytes <= 16_384)
        }

        let left = try names.filter { Self.word(cache.found(try Self.key($0), now: .zero)) != "nothing" }

        #expect(left.first == "n0.test" && left.dropFirst() == names.suffix(left.count - 1))
        #expect(left.count > 20 && cache.count == left.count && cache.evictions == UInt64(200 - left.count))
        // One that is too large drives nobody out.
        cache.store(try Self.answer("big.test", count: 200), for: try Self.key("big.test"), now: .zero)
        #expect(cache.count == left.count)
    }

    @Test("What is given elsewhere is used as well: it stays, and it is asked for again before its time is over")
    func elsewhere() throws {
        var options = AnswerCache.Options()
        options.bytesMax = 16_384
        let hot = try Self.key("n0.test")
        var cache = AnswerCache(options: options) { $0 == hot ? 1 : 0 }
        for name in (0..<200).map({ "n\($0).test" }) {
            cache.store(try Self.answer(name, ttl: 100), for: try Self.key(name), now: .zero)
        }

        #expect(Self.word(cache.found(hot, now: .milliseconds(90_001))) == "fresh 0 refresh")
        #expect(Self.word(cache.found(try Self.key("n1.test"), now: .zero)) == "nothing")
        #expect(Self.word(cache.found(try Self.key("n199.test"), now: .milliseconds(90_001))) == "fresh 0")
    }

    @Test("When all is given elsewhere room is made all the same")
    func allElsewhere() throws {
        var options = AnswerCache.Options()
        options.bytesMax = 16_384
        var cache = AnswerCache(options: options) { _ in 1 }

        for name in (0..<200).map({ "n\($0).test" }) {
            cache.store(try Self.answer(name), for: try Self.key(name), now: .zero)
            #expect(cache.bytes <= 16_384)
        }

        #expect(Self.word(cache.found(try Self.key("n199.test"), now: .zero)) == "fresh 0")
    }

    @Test("Without memory nothing is kept")
    func none() throws {
        var options = AnswerCache.Options()
        options.bytesMax = 0
        var cache = AnswerCache(options: options)
        let key = try Self.key("a.test")

        cache.store(try Self.answer("a.test"), for: key, now: .zero)
        _ = cache.failed(key, now: .zero)

        #expect(cache.count == 0 && Self.word(cache.found(key, now: .zero)) == "nothing")
    }

    @Test("Whatever happens, the bytes are those of what is there", arguments: [UInt64](1...50))
    func accounts(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var options = AnswerCache.Options()
        options.bytesMax = 8_192
        var cache = AnswerCache(options: options)
        var now = Duration.zero
        for _ in 0..<300 {
            let name = "n\(random.number(0...30)).test"
            let key = try Self.key(name)
            switch random.number(0...9) {
            case 0...4:
                let ttl = UInt32(random.number(0...20))
                cache.store(try Self.answer(name, ttl: ttl, count: random.number(1...9)), for: key, now: now)
            case 5: _ = cache.failed(key, now: now)
            case 6: if random.chance(1, outOf: 10) { cache.forgetFailures() }
            default: _ = cache.found(key, now: now)
            }
            now += .milliseconds(random.number(0...2000))
            #expect(cache.bytes <= 8_192)
        }
        for name in (0...30).map({ "n\($0).test" }) {
            cache.store(try Self.answer(name, ttl: 0), for: try Self.key(name), now: now)
        }
        #expect(cache.count == 0 && cache.bytes == 0, "seed \(seed)")
    }
}
