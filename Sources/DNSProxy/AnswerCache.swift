package import DNSWire

/// Answers of other servers, for as long as they hold, and somewhat longer for times when nobody answers.
///
/// A value: it is told the time and asks nobody. It holds a number of bytes at most; what was not asked for the
/// longest goes first.
package struct AnswerCache: Sendable {
    /// What makes two questions equal: all that changes an answer's records.
    package struct Key: Hashable, Sendable {
        package var question: DNSQuestion
        /// RD and CD of the query, and DO.
        package var flags: UInt16

        package init(question: DNSQuestion, flags: UInt16) {
            self.question = question
            self.flags = flags
        }

        /// AD is left out: it is always asked for, and taken off for those who did not (RFC 6840 section 5.7).
        package init(_ query: DNSQuery) {
            self.init(
                question: query.question,
                flags: query.header.flags & 0x0110 | (query.edns?.wantsSignatures == true ? 0x8000 : 0)
            )
        }

        package var wantsSignatures: Bool { self.flags & 0x8000 != 0 }
    }

    package struct Options: Hashable, Sendable {
        /// 0: nothing is kept.
        package var bytesMax = 4 << 20
        /// How long after its time an answer may still be given when nobody answers (RFC 8767 section 5: a day or more).
        package var staleMax = Duration.seconds(86_400)
        /// How long nobody is asked again about such an answer (RFC 8767 section 5).
        package var staleRecheck = Duration.seconds(30)
        /// Questions that an answer must have had to be asked for again before its time is over.
        package var prefetchHitsMin: UInt32 = 3

        package init() {}
    }

    package enum Found: Sendable {
        case nothing
        /// `refresh`: it is popular, and its time is nearly over.
        case fresh(KeptAnswer, came: Duration, refresh: Bool)
        /// Its time is over; `ask`: somebody should be asked first.
        case stale(KeptAnswer, ask: Bool)
        /// Nobody answered a moment ago (RFC 9520).
        case failing
    }

    private enum Content {
        case answer(KeptAnswer, came: Duration, hits: UInt32)
        case failure(count: Int)
    }

    private struct Slot {
        var key: Key
        var content: Content
        /// When the answer's time is over, or when somebody is asked again.
        var expires: Duration
        /// Of an answer whose time is over: when somebody is asked again.
        var recheck: Duration
        var cost: Int
        /// Neighbours in the order of use; -1: none.
        var newer = -1
        var older = -1
    }

    /// Tells how often an answer was given elsewhere since it was last asked.
    package typealias HitsElsewhere = @Sendable (Key) -> UInt32

    package let options: Options
    private let takeHitsElsewhere: HitsElsewhere
    private var index: [Key: Int] = [:]
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var newest = -1
    private var oldest = -1
    package private(set) var bytes = 0
    /// Answers that went because there was no room.
    package private(set) var evictions: UInt64 = 0

    /// - Parameters:
    ///   - options: limits.
    ///   - hitsElsewhere: answers may be given by somebody who need not ask here.
    package init(options: Options = Options(), hitsElsewhere: @escaping HitsElsewhere = { _ in 0 }) {
        self.options = options
        self.takeHitsElsewhere = hitsElsewhere
    }

    package var count: Int { self.index.count }

    /// What is known about a question.
    package mutating func found(_ key: Key, now: Duration) -> Found {
        guard let place = self.index[key] else { return .nothing }
        let expires = self.slots[place].expires
        switch self.slots[place].content {
        case .failure:
            return now < expires ? .failing : .nothing
        case .answer(let answer, let came, let hits):
            if now < expires {
                self.touch(place)
                let hits = hits &+ 1 &+ self.takeHitsElsewhere(key)
                self.slots[place].content = .answer(answer, came: came, hits: hits)
                // The last tenth.
                let isLate = hits >= self.options.prefetchHitsMin && (expires - now) * 10 < expires - came
                return .fresh(answer, came: came, refresh: isLate)
            }
            guard now < expires + self.options.staleMax else {
                self.remove(place)
                return .nothing
            }
            self.touch(place)
            return .stale(answer, ask: now >= self.slots[place].recheck)
        }
    }

    /// Takes a new answer, if it may be kept.
    package mutating func store(_ answer: KeptAnswer, for key: Key, now: Duration) {
        let cost = answer.cost + Self.cost(key)
        // One answer never drives out more than an eighth of the others.
        guard answer.ttl > 0, cost <= self.options.bytesMax / 8 else {
            // What was known is no longer true.
            if let place = self.index[key] { self.remove(place) }
            return
        }
        self.put(
            key,
            .answer(answer, came: now, hits: 0),
            expires: now + .seconds(Int64(answer.ttl)),
            cost: cost
        )
    }

    /// Nobody answered.
    ///
    /// - Returns: what may be given instead.
    package mutating func failed(_ key: Key, now: Duration) -> KeptAnswer? {
        var failures = 0
        if let place = self.index[key] {
            switch self.slots[place].content {
            case .answer(let answer, _, _):
                guard now < self.slots[place].expires + self.options.staleMax else { break }
                self.slots[place].recheck = now + self.options.staleRecheck
                return answer
            case .failure(let count): failures = count
            }
        }
        guard self.options.bytesMax / 8 > Self.cost(key) else { return nil }
        // 1, 2, 4, 8 seconds: long enough against storms, short enough not to be noticed afterwards (RFC 9520 section 3.2).
        let pause = Duration.seconds(1 << min(failures, 3))
        self.put(key, .failure(count: min(failures + 1, 8)), expires: now + pause, cost: Self.cost(key))
        return nil
    }

    /// There are other servers, or some are back: whoever failed may be asked again at once.
    package mutating func forgetFailures() {
        for place in Array(self.index.values) {
            switch self.slots[place].content {
            case .answer: self.slots[place].recheck = .zero
            case .failure: self.remove(place)
            }
        }
    }

    /// Other servers may have other answers: everything that is known is out of date, and still better than nothing.
    package mutating func outdate(now: Duration) {
        for place in self.index.values { self.slots[place].expires = min(self.slots[place].expires, now) }
        self.forgetFailures()
    }

    /// Forgets everything.
    package mutating func removeAll() {
        let evictions = self.evictions
        self = AnswerCache(options: self.options, hitsElsewhere: self.takeHitsElsewhere)
        self.evictions = evictions
    }

    // MARK: Memory

    /// Answers passed over when room is made for one: bounds how long that takes.
    private static let sparedMax = 64

    /// What a key and a slot take.
    private static func cost(_ key: Key) -> Int { key.question.name.wire.count + 256 }

    private mutating func put(_ key: Key, _ content: Content, expires: Duration, cost: Int) {
        if let place = self.index[key] { self.remove(place) }
        var spared = 0
        while self.bytes + cost > self.options.bytesMax, self.oldest >= 0 {
            if spared < Self.sparedMax, self.wasGivenElsewhere(self.oldest) {
                spared += 1
                continue
            }
            self.remove(self.oldest)
            self.evictions += 1
        }
        let slot = Slot(key: key, content: content, expires: expires, recheck: .zero, cost: cost)
        let place: Int
        if let last = self.free.popLast() {
            place = last
            self.slots[place] = slot
        } else {
            place = self.slots.count
            self.slots.append(slot)
        }
        self.index[key] = place
        self.bytes += cost
        self.link(place)
    }

    /// Whether an answer has been given elsewhere since somebody looked; then it counts as asked for just now.
    private mutating func wasGivenElsewhere(_ place: Int) -> Bool {
        guard case .answer(let answer, let came, let hits) = self.slots[place].content else { return false }
        let more = self.takeHitsElsewhere(self.slots[place].key)
        if more == 0 { return false }
        self.slots[place].content = .answer(answer, came: came, hits: hits &+ more)
        self.touch(place)
        return true
    }

    private mutating func remove(_ place: Int) {
        let key = self.slots[place].key
        self.unlink(place)
        self.index[key] = nil
        self.bytes -= self.slots[place].cost
        // The answer's memory goes now, not when the slot is used again.
        self.slots[place].content = .failure(count: 0)
        self.slots[place].cost = 0
        self.slots[place].key = Key(question: DNSQuestion(name: .root, type: .any), flags: 0)
        self.free.append(place)
    }

    private mutating func touch(_ place: Int) {
        guard self.newest != place else { return }
        self.unlink(place)
        self.link(place)
    }

    private mutating func link(_ place: Int) {
        self.slots[place].older = self.newest
        self.slots[place].newer = -1
        if self.newest >= 0 { self.slots[self.newest].newer = place } else { self.oldest = place }
        self.newest = place
    }

    private mutating func unlink(_ place: Int) {
        let (newer, older) = (self.slots[place].newer, self.slots[place].older)
        if newer >= 0 { self.slots[newer].older = older } else { self.newest = older }
        if older >= 0 { self.slots[older].newer = newer } else { self.oldest = newer }
    }
}
