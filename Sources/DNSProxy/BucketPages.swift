/// What lies in buckets.
protocol BucketSlot: Sendable {
    /// Any number that spreads well, the same for slots that are looked for together.
    var hash: UInt32 { get }
}

/// Slots in small buckets by their hash, and buckets in pages: a changed copy copies the page and the bucket that were
/// touched, and the list of pages, while a list of all buckets would have one reference for every few slots.
struct BucketPages<Slot: BucketSlot>: Sendable {
    private static var pageBits: Int { 7 }
    /// Slots in a bucket, on average, at which there become more buckets.
    private static var loadMax: Int { 4 }

    private var pages: [ContiguousArray<ContiguousArray<Slot>>]
    /// How many buckets; a power of two.
    private var bucketCount: Int
    /// How many slots.
    private(set) var count = 0

    init() { (self.pages, self.bucketCount) = (Self.pages(1), 1) }

    /// The bucket with all slots of a hash, and some others.
    func bucket(_ hash: UInt32) -> ContiguousArray<Slot> {
        let place = self.place(hash)
        return self.pages[place >> Self.pageBits][place & (1 << Self.pageBits - 1)]
    }

    /// Changes slots of a hash, or takes them out.
    mutating func change<Result>(_ hash: UInt32, _ body: (inout ContiguousArray<Slot>) -> Result) -> Result {
        let before = self[self.place(hash)].count
        defer { self.count += self[self.place(hash)].count - before }
        return body(&self[self.place(hash)])
    }

    mutating func append(_ slot: Slot) {
        self[self.place(slot.hash)].append(slot)
        self.count += 1
        if self.count > self.bucketCount * Self.loadMax { self.spread(over: self.bucketCount * 4) }
    }

    /// Makes room at once for so many more slots.
    mutating func reserve(_ more: Int) {
        var wanted = self.bucketCount
        while wanted * Self.loadMax < self.count + more { wanted *= 2 }
        if wanted > self.bucketCount { self.spread(over: wanted) }
    }

    private mutating func spread(over bucketCount: Int) {
        let old = self.pages
        (self.pages, self.bucketCount) = (Self.pages(bucketCount), bucketCount)
        for slot in old.lazy.joined().joined() { self[self.place(slot.hash)].append(slot) }
    }

    private func place(_ hash: UInt32) -> Int { Int(truncatingIfNeeded: hash) & (self.bucketCount - 1) }

    private subscript(place: Int) -> ContiguousArray<Slot> {
        get { self.pages[place >> Self.pageBits][place & (1 << Self.pageBits - 1)] }
        _modify { yield &self.pages[place >> Self.pageBits][place & (1 << Self.pageBits - 1)] }
    }

    private static func pages(_ bucketCount: Int) -> [ContiguousArray<ContiguousArray<Slot>>] {
        let size = 1 << Self.pageBits
        return (0..<max(1, bucketCount / size)).map { _ in
            ContiguousArray(repeating: [], count: min(size, bucketCount))
        }
    }
}
