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

    struct Kept {
        var verdict: CheckVerdict
        var validUntil: Duration
        /// `nil`: as often as wanted.
        var usesLeft: Int32?
    }

    private(set) var shapes: [CheckShape] = []
    private(set) var answers: RecencyTable<Kept>
    private var key: [UInt8] = []

    package init(countMax: Int = Self.countMax) {
        self.answers = RecencyTable(countMax: countMax, bytesMax: Self.bytesMax)
    }

    package var count: Int { self.answers.count }

    /// An answer that holds for a request; `now` is of any clock that only goes forward, the same as for `keep`.
    package mutating func verdict(for attributes: RequestAttributes, now: Duration) -> CheckVerdict? {
        for index in self.shapes.indices {
            guard self.makeKey(index, attributes), let place = self.answers.use(self.key),
                var kept = self.answers[place]
            else { continue }
            guard now < kept.validUntil else {
                self.answers.remove(place)
                continue
            }
            if let uses = kept.usesLeft {
                if uses <= 1 {
                    self.answers.remove(place)
                } else {
                    kept.usesLeft = uses - 1
                    self.answers[place] = kept
                }
            }
            return kept.verdict
        }
        return nil
    }

    /// Keeps an answer to a request, if it may be used again: for a time, and so often (0: not at all, negative: as
    /// often as wanted).
    package mutating func keep(_ answer: CheckAnswer, for attributes: RequestAttributes, now: Duration) {
        guard answer.validDuration > .zero, answer.validUseCount != 0, let references = answer.references,
            let index = self.shape(of: references), self.makeKey(index, attributes),
            self.key.count <= Self.keyBytesMax
        else { return }
        let kept = Kept(
            verdict: answer.verdict,
            validUntil: now + answer.validDuration,
            usesLeft: answer.validUseCount < 0 ? nil : answer.validUseCount
        )
        self.answers.insert(self.key, kept)
    }

    private mutating func makeKey(_ index: Int, _ attributes: RequestAttributes) -> Bool {
        self.key.removeAll(keepingCapacity: true)
        self.key.append(UInt8(truncatingIfNeeded: index))
        return self.shapes[index].append(attributes, to: &self.key)
    }

    private mutating func shape(of references: [CheckReference]) -> Int? {
        let ordered = CheckShape.ordered(references)
        if let index = self.shapes.firstIndex(where: { $0.references == ordered }) { return index }
        guard let shape = CheckShape(ordered) else { return nil }
        if self.shapes.count >= Self.shapesMax {
            // Rules have changed many times: what is still asked for comes back.
            self.shapes.removeAll()
            self.answers.removeAll()
        }
        self.shapes.append(shape)
        return self.shapes.count - 1
    }
}
