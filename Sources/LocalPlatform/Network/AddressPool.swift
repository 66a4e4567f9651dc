package import Foundation
package import MeshModel

/// Which pod has which address. Addresses are given out in turn, so that one just freed is not reused at once.
package struct AddressPool: Codable, Hashable {
    /// Addresses by pod uid, as bits.
    private(set) var taken: [String: UInt32] = [:]
    private var next: UInt32

    package init(_ range: ClosedRange<UInt32> = PlatformNetwork().podAddresses) { self.next = range.lowerBound }

    /// The address of a pod: the one it has, or the next free one; `nil` if all are taken.
    package mutating func allocate(
        _ uid: String,
        in range: ClosedRange<UInt32> = PlatformNetwork().podAddresses
    ) -> IPAddress? {
        if let held = self.taken[uid] { return .v4(held) }
        guard self.taken.count < range.count else { return nil }
        let used = Set(self.taken.values)
        var candidate = range.contains(self.next) ? self.next : range.lowerBound
        for _ in 0..<range.count {
            let chosen = candidate
            candidate = candidate == range.upperBound ? range.lowerBound : candidate + 1
            if !used.contains(chosen) {
                self.taken[uid] = chosen
                self.next = candidate
                return .v4(chosen)
            }
        }
        return nil
    }

    package mutating func release(_ uid: String) { self.taken[uid] = nil }

    /// Frees the addresses of all pods but these.
    package mutating func keep(only uids: Set<String>) { self.taken = self.taken.filter { uids.contains($0.key) } }

    /// The pool as last written; a file that cannot be read starts a new one.
    package static func read(_ file: URL) -> AddressPool {
        guard let data = try? Data(contentsOf: file), let pool = try? JSONDecoder().decode(Self.self, from: data) else {
            return AddressPool()
        }
        return pool
    }

    package func write(_ file: URL) throws { try JSONEncoder().encode(self).write(to: file, options: .atomic) }
}
