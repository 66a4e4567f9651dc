/// Values by key, bounded in their number and in the bytes of their keys: what was not used for longest goes first.
struct RecencyTable<Value> {
    /// Hashed as a whole: an array would be hashed byte by byte.
    private struct Key: Hashable {
        var bytes: [UInt8]

        func hash(into hasher: inout Hasher) { self.bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private struct Node {
        var key: [UInt8]
        var value: Value
        /// Places of the neighbours in the order of use; -1: none.
        var newer: Int
        var older: Int

        mutating func change<Result>(_ body: (inout Value) -> Result) -> Result { body(&self.value) }
    }

    private let countMax: Int
    private let bytesMax: Int
    private var nodes: [Node?] = []
    private var places: [Key: Int] = [:]
    private var free: [Int] = []
    private var newest = -1
    private var oldest = -1
    private(set) var bytes = 0

    init(countMax: Int, bytesMax: Int) {
        self.countMax = countMax
        self.bytesMax = bytesMax
    }

    var count: Int { self.places.count }

    /// The place of a key, which counts as used now.
    mutating func use(_ key: [UInt8]) -> Int? {
        guard let place = self.places[Key(bytes: key)] else { return nil }
        if place != self.newest {
            self.unlink(place)
            self.link(place)
        }
        return place
    }

    /// The value of a key, which does not count as used for it.
    func peek(_ key: [UInt8]) -> Value? { self.places[Key(bytes: key)].flatMap { self.nodes[$0]?.value } }

    /// The value at a place that `use` has given; `nil`: it was removed since.
    subscript(_ place: Int) -> Value? {
        get { self.nodes[place]?.value }
        set { if let newValue { self.nodes[place]?.value = newValue } }
    }

    /// Changes the value at a place that `use` has given, where it is; `nil`: it was removed since.
    mutating func change<Result>(_ place: Int, _ body: (inout Value) -> Result) -> Result? {
        self.nodes[place]?.change(body)
    }

    /// Puts a value in, over one that is there.
    mutating func insert(_ key: [UInt8], _ value: Value) {
        if let place = self.use(key) {
            self.nodes[place]?.value = value
            return
        }
        guard key.count <= self.bytesMax else { return }
        while self.count >= self.countMax || self.bytes + key.count > self.bytesMax { self.remove(self.oldest) }
        let node = Node(key: key, value: value, newer: -1, older: -1)
        let place: Int
        if let reused = self.free.popLast() {
            place = reused
            self.nodes[place] = node
        } else {
            place = self.nodes.count
            self.nodes.append(node)
        }
        self.places[Key(bytes: key)] = place
        self.bytes += key.count
        self.link(place)
    }

    mutating func remove(_ place: Int) {
        guard place >= 0, let node = self.nodes[place] else { return }
        self.unlink(place)
        self.nodes[place] = nil
        self.places[Key(bytes: node.key)] = nil
        self.bytes -= node.key.count
        self.free.append(place)
    }

    mutating func removeAll() { self = RecencyTable(countMax: self.countMax, bytesMax: self.bytesMax) }

    private mutating func link(_ place: Int) {
        self.nodes[place]?.newer = -1
        self.nodes[place]?.older = self.newest
        if self.newest >= 0 { self.nodes[self.newest]?.newer = place }
        self.newest = place
        if self.oldest < 0 { self.oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        guard let node = self.nodes[place] else { return }
        if node.newer >= 0 { self.nodes[node.newer]?.older = node.older } else { self.newest = node.older }
        if node.older >= 0 { self.nodes[node.older]?.newer = node.newer } else { self.oldest = node.newer }
    }
}
