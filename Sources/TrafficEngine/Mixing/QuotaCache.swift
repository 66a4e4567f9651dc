/// Amounts of quotas that the engine has granted ahead of need, so that it need not be asked about every request.
///
/// How much is asked for follows demand: twice as much as the last time while it lasts less than a second, and no more
/// than the request needs once demand has gone. What is left when its validity is over is lost.
package struct QuotaCache {
    package static let countMax = 10_000
    /// Accounts that nobody used for so long begin anew.
    static let lifetime = Duration.seconds(600)
    /// Charges that are asked for at once, in multiples of what the request needs.
    static let prefetchMax: Int64 = 64
    /// A quota that is used up is not asked for again before this, however long the engine says.
    static let pauseMax = Duration.seconds(1)
    /// An answer that has not come by then is not waited for any more.
    private static let answerMax = Duration.seconds(1)
    private static let bytesMax = 8 << 20
    private static let shapesMax = 64

    /// What a charge comes to.
    package enum OnCharge: Hashable {
        case paid
        case usedUp
        /// Ask the engine for so much.
        case ask(Int64)
    }

    struct Account {
        var left: Int64 = 0
        var validUntil = Duration.zero
        /// Before then nothing is to be had.
        var pausedUntil = Duration.zero
        var askedAt: Duration
        var asked: Int64
        /// More than a request needs has been asked for, and no answer is there yet; until then at most.
        var isAskedAheadUntil = Duration.zero
        var usedAt: Duration
    }

    struct Shape {
        let quota: String
        let shape: CheckShape
        /// Begins the keys of its accounts; never given again.
        let number: UInt32
        fileprivate var usedAt: Duration
    }

    private(set) var shapes: [Shape] = []
    private(set) var accounts: RecencyTable<Account>
    private var lastNumber: UInt32 = 0
    private var key: [UInt8] = []

    package init(countMax: Int = Self.countMax) {
        self.accounts = RecencyTable(countMax: countMax, bytesMax: Self.bytesMax)
    }

    package var count: Int { self.accounts.count }

    /// Takes an amount for a request.
    package mutating func charge(
        _ charge: QuotaCharge,
        for attributes: RequestAttributes,
        now: Duration
    ) -> OnCharge {
        guard let place = self.place(of: charge.quota, attributes, now), var account = self.accounts[place],
            now < account.usedAt + Self.lifetime
        else { return .ask(charge.amount) }
        defer { self.accounts[place] = account }
        account.usedAt = now
        if now >= account.validUntil { account.left = 0 }
        if account.left >= charge.amount {
            account.left -= charge.amount
            return .paid
        }
        if now < account.pausedUntil { return .usedUp }
        // Requests that come at once would each ask for twice as much as the one before.
        if now < account.isAskedAheadUntil { return .ask(charge.amount) }
        let isBusy = now < account.askedAt + .seconds(1)
        let most = charge.amount.multipliedReportingOverflow(by: Self.prefetchMax)
        let doubled = account.asked.multipliedReportingOverflow(by: 2)
        account.asked =
            isBusy && !doubled.overflow && !most.overflow
            ? max(charge.amount, min(doubled.partialValue, most.partialValue)) : charge.amount
        account.askedAt = now
        if account.asked > charge.amount { account.isAskedAheadUntil = now + Self.answerMax }
        return .ask(account.asked)
    }

    /// Takes note of what the engine granted for a charge that was asked for.
    package mutating func granted(
        _ answer: QuotaAnswer,
        for charge: QuotaCharge,
        _ attributes: RequestAttributes,
        now: Duration
    ) {
        guard let references = answer.references,
            let index = self.shape(of: charge.quota, references, now), self.makeKey(index, attributes)
        else { return }
        var account =
            self.accounts.use(self.key).flatMap { self.accounts[$0] }
            ?? Account(askedAt: now, asked: charge.asked, usedAt: now)
        if now >= account.validUntil { account.left = 0 }
        if charge.asked > charge.amount { account.isAskedAheadUntil = .zero }
        if answer.amount < charge.amount {
            let pause = answer.validDuration > .zero ? min(answer.validDuration, Self.pauseMax) : Self.pauseMax
            account.pausedUntil = now + pause
        } else {
            let (left, overflows) = account.left.addingReportingOverflow(answer.amount - charge.amount)
            account.left = overflows ? .max : left
            account.validUntil = now + answer.validDuration
        }
        // The engine has no more than this at the moment.
        if answer.amount < charge.asked { account.asked = max(charge.amount, answer.amount) }
        account.usedAt = now
        self.accounts.insert(self.key, account)
    }

    private mutating func place(of quota: String, _ attributes: RequestAttributes, _ now: Duration) -> Int? {
        for index in self.shapes.indices where self.shapes[index].quota == quota {
            guard self.makeKey(index, attributes), let place = self.accounts.use(self.key) else { continue }
            self.shapes[index].usedAt = now
            return place
        }
        return nil
    }

    private mutating func makeKey(_ index: Int, _ attributes: RequestAttributes) -> Bool {
        self.key.removeAll(keepingCapacity: true)
        self.key.append(number: self.shapes[index].number)
        return self.shapes[index].shape.append(attributes, to: &self.key)
    }

    private mutating func shape(of quota: String, _ references: [CheckReference], _ now: Duration) -> Int? {
        let ordered = CheckShape.ordered(references)
        let known = self.shapes.firstIndex { $0.quota == quota && $0.shape.references == ordered }
        if let known { return known }
        guard let shape = CheckShape(ordered) else { return nil }
        if self.shapes.count >= Self.shapesMax,
            let oldest = self.shapes.indices.min(by: { self.shapes[$0].usedAt < self.shapes[$1].usedAt })
        {
            // Nobody finds its accounts any more; they are pushed out by those that are used.
            self.shapes.remove(at: oldest)
        }
        self.lastNumber &+= 1
        self.shapes.append(Shape(quota: quota, shape: shape, number: self.lastNumber, usedAt: now))
        return self.shapes.count - 1
    }
}
