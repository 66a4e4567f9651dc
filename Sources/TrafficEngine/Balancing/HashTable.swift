/// Endpoints on a ring or in Maglev's table: the same key goes to the same endpoint, and when endpoints come or go only
/// the keys that must move do.
struct HashTable: Sendable {
    /// An endpoint as it takes part: its name, its weight, its place in the balancer's list.
    struct Member {
        var key: [UInt8]
        var weight: UInt32
        var index: Int
    }

    private enum Shape {
        /// Sorted by point.
        case ring([(point: UInt64, index: Int)])
        case table([Int])
    }

    private let shape: Shape

    /// A ring (Envoy `ring_hash`): each member has points in proportion to its weight, at least one.
    init(ring members: [Member], sizeMin: Int, sizeMax: Int) {
        let total = members.reduce(0.0) { $0 + Double(max(1, $1.weight)) }
        let least = members.map { Double(max(1, $0.weight)) / max(total, 1) }.min() ?? 1
        // As many points as give the lightest member a whole number of them, within the bounds.
        let limit = Double(max(1, min(sizeMax, 1 << 20)))
        let scale = min((least * Double(sizeMin)).rounded(.up) / least, limit)
        var points: [(point: UInt64, index: Int)] = []
        var target = 0.0
        var current = 0.0
        for member in members {
            target += scale * Double(max(1, member.weight)) / total
            var number = 0
            while current < target, Double(points.count) < limit {
                var key = member.key
                key.append(UInt8(ascii: "_"))
                key.append(contentsOf: String(number).utf8)
                points.append((XXHash64.hash(key), member.index))
                number += 1
                current += 1
            }
        }
        self.shape = .ring(points.sorted { $0.point < $1.point })
    }

    /// Maglev's table (Eisenbud et al., NSDI 2016, section 3.4); `size` is a prime.
    init(maglev members: [Member], size: Int) {
        let size = UInt64(min(max(size, 2), 5_000_011))
        var table = [Int](repeating: -1, count: Int(size))
        guard !members.isEmpty else {
            self.shape = .table([])
            return
        }
        let heaviest = Double(members.map { max(1, $0.weight) }.max() ?? 1)
        var entries = members.map { member in
            (
                offset: XXHash64.hash(member.key) % size, skip: XXHash64.hash(member.key, seed: 1) % (size - 1) + 1,
                next: UInt64(0), due: 0.0, weight: Double(max(1, member.weight)) / heaviest, index: member.index
            )
        }
        var filled = 0
        var turn = 1.0
        while filled < table.count {
            for position in entries.indices where filled < table.count {
                // Lighter members take their turn only as often as their weight allows.
                guard turn * entries[position].weight >= entries[position].due else { continue }
                entries[position].due += 1
                var slot = 0
                repeat {
                    slot = Int((entries[position].offset &+ entries[position].skip &* entries[position].next) % size)
                    entries[position].next += 1
                } while table[slot] >= 0
                table[slot] = entries[position].index
                filled += 1
            }
            turn += 1
        }
        self.shape = .table(table)
    }

    /// The endpoint of a key; `attempt` goes on from there for a retry. `nil`: nobody is there.
    func index(of hash: UInt64, attempt: Int = 0) -> Int? {
        switch self.shape {
        case .table(let table):
            guard !table.isEmpty else { return nil }
            return table[Int((hash &+ UInt64(attempt)) % UInt64(table.count))]
        case .ring(let points):
            guard !points.isEmpty else { return nil }
            var low = 0
            var high = points.count
            while low < high {
                let middle = (low + high) / 2
                if points[middle].point < hash { low = middle + 1 } else { high = middle }
            }
            return points[(low + attempt) % points.count].index
        }
    }
}
