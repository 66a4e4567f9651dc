package import DNSWire
internal import Synchronization

/// Other servers' answers for the threads that read questions: most of what is asked again never leaves them.
///
/// It is filled by the event loop, which alone decides what holds, and read by others. Each question has one place,
/// which it may have to leave to another one; an answer in the last tenth of its time is for the loop again, which may
/// renew it. An answer counts for the table under which it was asked for, since another may know the name itself.
///
/// The loop's cache hears how often an answer was given here: what is asked for most must not be the first to go.
package final class KnownAnswers: Sendable {
    package struct Entry: Sendable {
        var answer: KeptAnswer
        var type: DNSType
        /// As in `AnswerCache.Key`.
        var flags: UInt16
        var table: UInt64
        /// Monotonic time.
        var came: Duration
        var ends: Duration
        /// Times that it was given since the loop looked.
        var hits: UInt32 = 0
    }

    static let placesMax = 4096
    /// Longer answers are rare, and all of these may be here that have left the cache: three megabytes at most.
    static let bytesMax = 512

    private let places = Mutex<[Entry?]>([])
    private let hits = Atomic<UInt64>(0)
    private let negativeHits = Atomic<UInt64>(0)

    package init() {}

    /// Notes an answer to a question that the table with this number knows nothing about.
    package func put(_ answer: ForwardedAnswer, to query: DNSQuery, table: UInt64) {
        let kept = answer.kept
        guard answer.origin != .stale, answer.mayBeKept, kept.ttl > 1, kept.bytes.count <= Self.bytesMax else { return }
        let key = AnswerCache.Key(query)
        let entry = Entry(
            answer: kept,
            type: query.question.type,
            flags: key.flags,
            table: table,
            came: answer.came,
            ends: answer.came + .milliseconds(Int64(kept.ttl) * 900)
        )
        let place = Self.place(key)
        self.places.withLock { places in
            if places.isEmpty { places = Array(repeating: nil, count: Self.placesMax) }
            places[place] = entry
        }
    }

    /// How often the answer to a question was given here since the last call.
    package func takeHits(_ key: AnswerCache.Key) -> UInt32 {
        let place = Self.place(key)
        return self.places.withLock { places in
            guard !places.isEmpty, let entry = places[place] else { return 0 }
            let isOf = key.question.name.lowercased.wire.withUnsafeBytes { name in
                entry.isAnswer(to: name, key.question.type, key.flags)
            }
            guard isOf else { return 0 }
            places[place]?.hits = 0
            return entry.hits
        }
    }

    /// Forgets everything: there are other servers.
    package func removeAll() { self.places.withLock { $0 = [] } }

    /// The answer to a question, if it is known and holds.
    ///
    /// - Parameters:
    ///   - name: in lower case.
    ///   - type: what is asked for.
    ///   - flags: as in `AnswerCache.Key`.
    ///   - table: the number of the table that is in force.
    ///   - now: monotonic time.
    /// - Returns: `nil`: ask the event loop.
    package func answer(
        _ name: UnsafeRawBufferPointer,
        _ type: DNSType,
        flags: UInt16,
        table: UInt64,
        now: Duration
    ) -> Entry? {
        let place = Self.place(name, type, flags)
        let found = self.places.withLock { places -> Entry? in
            guard !places.isEmpty, let entry = places[place], entry.table == table, now < entry.ends,
                entry.isAnswer(to: name, type, flags)
            else { return nil }
            places[place]?.hits &+= 1
            return entry
        }
        guard let entry = found else { return nil }
        if entry.answer.isNegative {
            self.negativeHits.add(1, ordering: .relaxed)
        } else {
            self.hits.add(1, ordering: .relaxed)
        }
        return entry
    }

    func add(to statistics: inout DNSStatistics) {
        statistics.cacheHits += self.hits.load(ordering: .relaxed)
        statistics.cacheNegativeHits += self.negativeHits.load(ordering: .relaxed)
    }

    private static func place(_ key: AnswerCache.Key) -> Int {
        key.question.name.lowercased.wire.withUnsafeBytes { Self.place($0, key.question.type, key.flags) }
    }

    private static func place(_ name: UnsafeRawBufferPointer, _ type: DNSType, _ flags: UInt16) -> Int {
        // Keyed at random by the standard library: nobody can choose names for one place.
        var hasher = Hasher()
        hasher.combine(bytes: name)
        hasher.combine(UInt32(type.rawValue) << 16 | UInt32(flags))
        return hasher.finalize() & (Self.placesMax - 1)
    }
}

extension KnownAnswers.Entry {
    /// Whether it answers this question; the name is in lower case, the flags are as in `AnswerCache.Key`.
    fileprivate func isAnswer(to name: UnsafeRawBufferPointer, _ type: DNSType, _ flags: UInt16) -> Bool {
        guard self.type == type, self.flags == flags, self.answer.bytes.count >= 12 + name.count else { return false }
        return self.answer.bytes.withUnsafeBytes { bytes in
            for index in 0..<name.count where Self.folded(bytes[12 + index]) != name[index] { return false }
            return true
        }
    }

    private static func folded(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

extension QuickAnswerer {
    /// Answers a query that the table knows nothing about with what another server has said.
    ///
    /// - Parameters:
    ///   - bytes: a whole message.
    ///   - known: other servers' answers.
    ///   - table: the number of the table that is in force.
    ///   - rotation: any number; decides the order of addresses.
    ///   - now: monotonic time.
    ///   - out: room for `datagramMax` bytes.
    /// - Returns: `nil` if the query is not for here.
    func answer(
        _ bytes: UnsafeRawBufferPointer,
        from known: KnownAnswers,
        table: UInt64,
        rotation: UInt32,
        now: Duration,
        into out: UnsafeMutableRawBufferPointer
    ) -> (length: Int, isTruncated: Bool, answer: KeptAnswer, age: UInt32)? {
        guard let query = self.query(bytes) else { return nil }
        let flags = query.flags & 0x0110 | (query.wantsSignatures ? 0x8000 : 0)
        let name = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(self.name)[..<query.nameLength])
        guard let entry = known.answer(name, query.type, flags: flags, table: table, now: now) else { return nil }
        let asker = KeptAnswer.Asker(
            id: UInt16(bytes[0]) << 8 | UInt16(bytes[1]),
            flags: query.flags,
            hasEDNS: query.payloadMax != nil,
            wantsSignatures: query.wantsSignatures
        )
        let age = UInt32(clamping: (now - entry.came).components.seconds)
        let written = entry.answer.write(
            into: out,
            asker,
            UnsafeRawBufferPointer(rebasing: bytes[Self.headerLength..<(Self.headerLength + query.nameLength)]),
            age,
            nil,
            rotation,
            min(max(query.payloadMax ?? 512, 512), Self.datagramMax)
        )
        return (written.length, written.isTruncated, entry.answer, age)
    }
}
