/// Answers of the policy engine, for requests that agree in what the answers depend on.
///
/// The key of an answer is the values of the attributes that were read for it, not a hash of them: no request can be
/// made to fit another's answer. Refusals are kept like consents.
package struct CheckCache {
    /// As many answers as Istio's proxies keep.
    package static let countMax = 10_000
    /// Of all keys together; paths and headers may be long.
    static let bytesMax = 8 << 20
    /// An answer that depends on more is not kept.
    static let keyBytesMax = 4096
    /// Rules that are told apart by what they read; a lookup goes through all of them.
    static let shapesMax = 64

    /// An answer that was used so often is asked for anew before it ends: when it does, all who come at that moment ask.
    static let busyUses = 100

    /// An answer that holds.
    package struct Hit: Hashable, Sendable {
        package var verdict: CheckVerdict
        /// It is much used and will end soon. One user is told so, who should ask anew.
        package var endsSoon = false
    }

    struct Kept {
        var verdict: CheckVerdict
        var validUntil: Duration
        /// `nil`: as often as wanted.
        var usesLeft: Int32?
        private var uses = 0
        /// It ends soon from then on, or with so few uses left.
        private let late: Duration
        private let fewUses: Int32
        private var isRenewed = false

        init(_ answer: CheckAnswer, now: Duration) {
            self.verdict = answer.verdict
            self.validUntil = now + answer.validDuration
            self.usesLeft = answer.validUseCount < 0 ? nil : answer.validUseCount
            self.late = now + answer.validDuration * 3 / 4
            self.fewUses = answer.validUseCount / 4
        }

        /// Is used once.
        fileprivate mutating func use(now: Duration) -> Hit {
            self.uses += 1
            if let uses = self.usesLeft { self.usesLeft = uses - 1 }
            var hit = Hit(verdict: self.verdict)
            guard !self.isRenewed, self.uses >= CheckCache.busyUses else { return hit }
            hit.endsSoon = now >= self.late || self.usesLeft.map { $0 <= self.fewUses } ?? false
            self.isRenewed = hit.endsSoon
            return hit
        }
    }

    /// Answers that depend on the same attributes.
    struct Group {
        let shape: CheckShape
        /// Begins the keys of its answers; never given again.
        let number: UInt32
        fileprivate var usedAt: UInt64
        fileprivate var fixedPart: FixedPart?
    }

    /// What the settings say to a shape, as it was for the last request.
    fileprivate struct FixedPart {
        var policy: MixerPolicy
        var service: MixerService?
        /// `nil`: no request fits.
        var key: [UInt8]?
    }

    private(set) var groups: [Group] = []
    private(set) var answers: RecencyTable<Kept>
    private var lastNumber: UInt32 = 0
    /// Counts lookups.
    private var clock: UInt64 = 0
    private var key: [UInt8] = []

    package init(countMax: Int = Self.countMax) {
        self.answers = RecencyTable(countMax: countMax, bytesMax: Self.bytesMax)
    }

    package var count: Int { self.answers.count }

    /// An answer that holds for a request; `now` is of any clock that only goes forward, the same as for `keep`.
    package mutating func verdict(for attributes: RequestAttributes, now: Duration) -> Hit? {
        self.clock += 1
        for index in self.groups.indices {
            guard self.makeKey(index, attributes), let place = self.answers.use(self.key) else { continue }
            let (hit, isOver) =
                self.answers.change(place) { kept -> (Hit?, Bool) in
                    guard now < kept.validUntil else { return (nil, true) }
                    let hit = kept.use(now: now)
                    return (hit, kept.usesLeft.map { $0 <= 0 } ?? false)
                } ?? (nil, false)
            if isOver { self.answers.remove(place) }
            guard let hit else { continue }
            self.groups[index].usedAt = self.clock
            return hit
        }
        return nil
    }

    /// Keeps an answer to a request, if it may be used again: for a time, and so often (0: not at all, negative: as
    /// often as wanted).
    package mutating func keep(_ answer: CheckAnswer, for attributes: RequestAttributes, now: Duration) {
        guard answer.validDuration > .zero, answer.validUseCount != 0, let references = answer.references,
            let index = self.group(of: references), self.makeKey(index, attributes),
            self.key.count <= Self.keyBytesMax
        else { return }
        self.answers.insert(self.key, Kept(answer, now: now))
    }

    private mutating func makeKey(_ index: Int, _ attributes: RequestAttributes) -> Bool {
        self.key.removeAll(keepingCapacity: true)
        self.key.append(number: self.groups[index].number)
        guard self.appendFixed(index, attributes) else { return false }
        return self.groups[index].shape.appendRequest(attributes, to: &self.key)
    }

    private mutating func appendFixed(_ index: Int, _ attributes: RequestAttributes) -> Bool {
        if let last = self.groups[index].fixedPart, last.policy === attributes.policy,
            last.service === attributes.service
        {
            guard let key = last.key else { return false }
            self.key.append(contentsOf: key)
            return true
        }
        let start = self.key.count
        let fits = self.groups[index].shape.appendFixed(attributes, to: &self.key)
        self.groups[index].fixedPart = FixedPart(
            policy: attributes.policy,
            service: attributes.service,
            key: fits ? Array(self.key[start...]) : nil
        )
        return fits
    }

    private mutating func group(of references: [CheckReference]) -> Int? {
        let ordered = CheckShape.ordered(references)
        if let index = self.groups.firstIndex(where: { $0.shape.references == ordered }) { return index }
        guard let shape = CheckShape(ordered) else { return nil }
        if self.groups.count >= Self.shapesMax,
            let oldest = self.groups.indices.min(by: { self.groups[$0].usedAt < self.groups[$1].usedAt })
        {
            // Nobody finds its answers any more; they are pushed out by those that are used.
            self.groups.remove(at: oldest)
        }
        self.lastNumber &+= 1
        self.groups.append(Group(shape: shape, number: self.lastNumber, usedAt: self.clock, fixedPart: nil))
        return self.groups.count - 1
    }
}
