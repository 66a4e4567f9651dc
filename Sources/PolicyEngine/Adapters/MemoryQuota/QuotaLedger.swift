/// Who has taken how much of which quota, and which attempts were answered how. It knows no clock and no lock.
package struct QuotaLedger: Sendable {
    package struct Limit: Sendable, Hashable {
        package var amountMax: Int64
        /// How long what was taken stays taken; zero: until it is given back.
        package var window: Duration

        package init(amountMax: Int64, window: Duration) {
            self.amountMax = amountMax
            self.window = window
        }
    }

    /// Cells and attempts at most; beyond, quota is refused until old ones have gone.
    package static let cellsMax = 100_000
    package static let attemptsMax = 100_000
    /// Bytes of a cell's or an attempt's name. Both are made of what requests bring.
    package static let nameBytesMax = 4096
    /// All cells and attempts are looked through, so not more often than this.
    private static let sweepInterval = Duration.seconds(1)
    /// Parts of a window, each of which runs out on its own.
    private static let slicesMax = 10

    private enum Cell: Sendable {
        /// Taken until it is given back.
        case held(Int64)
        /// Taken for a while: amounts by the end of the slice in which they were taken, oldest first.
        case rolling([(until: Duration, amount: Int64)])
    }

    private struct Attempt: Sendable {
        var result: QuotaResult
        var until: Duration
    }

    private let deduplicationWindow: Duration
    private var cells: [String: Cell] = [:]
    private var attempts: [String: Attempt] = [:]
    /// When cells and attempts were last looked through for those that have run out.
    private var sweptAt: Duration = .zero

    package init(deduplicationWindow: Duration) { self.deduplicationWindow = deduplicationWindow }

    /// Takes from the cell `key`, or gives back if the amount is negative.
    ///
    /// An attempt with the same name within the window is answered as the first, whatever has happened since.
    package mutating func request(
        _ request: QuotaRequest,
        of key: String,
        limit: Limit,
        now: Duration
    ) -> QuotaResult {
        self.sweep(now: now)
        guard key.utf8.count + request.deduplicationID.utf8.count < Self.nameBytesMax else {
            return QuotaResult(
                PolicyStatus(.resourceExhausted, "dimensions of more than \(Self.nameBytesMax) bytes"),
                validDuration: .seconds(1),
                amount: 0
            )
        }
        let name = request.deduplicationID.isEmpty ? nil : "\(key)\u{0}\(request.deduplicationID)"
        if let name, let attempt = self.attempts[name], attempt.until > now { return attempt.result }
        let result =
            request.amount >= 0
            ? self.take(request, of: key, limit: limit, now: now)
            : self.giveBack(request.amount.magnitude, to: key, now: now)
        if let name, self.attempts.count < Self.attemptsMax {
            self.attempts[name] = Attempt(result: result, until: now + self.deduplicationWindow)
        }
        return result
    }

    private mutating func take(
        _ request: QuotaRequest,
        of key: String,
        limit: Limit,
        now: Duration
    ) -> QuotaResult {
        let taken = self.taken(key, now: now)
        let free = max(0, limit.amountMax - taken)
        let amount = request.amount <= free ? request.amount : request.bestEffort ? free : 0
        if amount > 0 {
            guard self.cells[key] != nil || self.cells.count < Self.cellsMax else {
                return QuotaResult(
                    PolicyStatus(.resourceExhausted, "more than \(Self.cellsMax) combinations of dimensions"),
                    validDuration: .seconds(1),
                    amount: 0
                )
            }
            self.add(amount, to: key, window: limit.window, now: now)
        }
        // Nothing is known of how soon there will be more, so a refusal is good for a moment only.
        return QuotaResult(validDuration: amount > 0 || request.amount == 0 ? limit.window : .zero, amount: amount)
    }

    private mutating func giveBack(_ amount: UInt64, to key: String, now: Duration) -> QuotaResult {
        var rest = Int64(clamping: amount)
        var given: Int64 = 0
        switch self.cells.removeValue(forKey: key) {
        case .held(let taken):
            given = min(taken, rest)
            if taken > given { self.cells[key] = .held(taken - given) }
        case .rolling(var slices):
            // The youngest first: what was taken last is what is given back.
            for index in slices.indices.reversed() where slices[index].until > now && rest > 0 {
                let part = min(slices[index].amount, rest)
                slices[index].amount -= part
                rest -= part
                given += part
            }
            slices.removeAll { $0.amount == 0 || $0.until <= now }
            if !slices.isEmpty { self.cells[key] = .rolling(slices) }
        case nil: ()
        }
        return QuotaResult(validDuration: .zero, amount: given)
    }

    /// How much of a cell is taken.
    package func taken(_ key: String, now: Duration) -> Int64 {
        switch self.cells[key] {
        case .held(let amount): amount
        case .rolling(let slices): slices.reduce(0) { $1.until > now ? $0 + $1.amount : $0 }
        case nil: 0
        }
    }

    private mutating func add(_ amount: Int64, to key: String, window: Duration, now: Duration) {
        let cell = self.cells.removeValue(forKey: key)
        guard window > .zero else {
            let taken = if case .held(let amount)? = cell { amount } else { Int64(0) }
            self.cells[key] = .held(taken + amount)
            return
        }
        var slices: [(until: Duration, amount: Int64)] = []
        if case .rolling(let kept)? = cell { slices = kept.filter { $0.until > now } }
        // Amounts taken within a tenth of the window are one slice, which runs out as its first one does plus a tenth:
        // never early, so that a window never holds more than the limit.
        let slice = window / Self.slicesMax
        if let last = slices.last, now + window <= last.until {
            slices[slices.count - 1].amount += amount
        } else {
            slices.append((now + window + slice, amount))
        }
        self.cells[key] = .rolling(slices)
    }

    /// Forgets what has run out, now and then.
    private mutating func sweep(now: Duration) {
        guard now - self.sweptAt >= max(self.deduplicationWindow, Self.sweepInterval) else { return }
        self.sweptAt = now
        self.attempts = self.attempts.filter { $0.value.until > now }
        self.cells = self.cells.filter { _, cell in
            switch cell {
            case .held(let amount): amount > 0
            case .rolling(let slices): slices.contains { $0.until > now }
            }
        }
    }
}
