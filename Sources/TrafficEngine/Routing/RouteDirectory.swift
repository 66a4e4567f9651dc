/// Routes that values of headers tell apart: which of them a request takes is found at once, however many there are.
///
/// A lookup hashes the received bytes and allocates nothing. As in `HostIndex` the hash needs no secret: only configured
/// values are stored.
package final class RouteDirectory: Sendable {
    /// A route, and what requests for it say.
    package struct Entry: Sendable {
        /// One for each of the headers, in their order; compared as they are.
        package var values: [[UInt8]]
        package var route: Route

        package init(values: [[UInt8]], route: Route) {
            self.values = values
            self.route = route
        }
    }

    /// Lower case.
    private let headers: [[UInt8]]
    private let entries: [Entry]
    /// Places in `entries` by hash: open addressing, at most half full; -1 is free.
    private let slots: [Int32]

    /// Of two entries with the same values the first counts; one that has not a value for each header is never found.
    package init(headers: [[UInt8]], entries: [Entry]) {
        self.headers = headers
        self.entries = entries
        var size = 8
        while size < entries.count * 2 { size *= 2 }
        var slots = [Int32](repeating: -1, count: size)
        for (number, entry) in entries.enumerated() where entry.values.count == headers.count {
            var hash = Hash()
            for value in entry.values { value.withUnsafeBytes { hash.add($0) } }
            var place = hash.place(in: size)
            while slots[place] >= 0 { place = (place + 1) & (size - 1) }
            slots[place] = Int32(number)
        }
        self.slots = slots
    }

    /// `nil`: the request lacks one of the headers, or no route has its values. Of a header that comes twice the first
    /// counts.
    package func route(_ request: RequestView) -> Route? {
        var hash = Hash()
        for header in self.headers {
            guard let value = Self.first(header, of: request) else { return nil }
            hash.add(value)
        }
        var place = hash.place(in: self.slots.count)
        while self.slots[place] >= 0 {
            let entry = self.entries[Int(self.slots[place])]
            if self.holds(entry, request) { return entry.route }
            place = (place + 1) & (self.slots.count - 1)
        }
        return nil
    }

    private func holds(_ entry: Entry, _ request: RequestView) -> Bool {
        for (header, value) in zip(self.headers, entry.values) {
            guard let found = Self.first(header, of: request), found.equals(value) else { return false }
        }
        return true
    }

    private static func first(_ name: [UInt8], of request: RequestView) -> UnsafeRawBufferPointer? {
        for field in request.headers where request[field.name].equals(name, ignoringCase: true) {
            return request[field.value]
        }
        return nil
    }

    /// FNV-1a, with a byte between values that none of them has.
    private struct Hash {
        private var bits: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ value: UnsafeRawBufferPointer) {
            for byte in value { self.add(byte) }
            self.add(0)
        }

        private mutating func add(_ byte: UInt8) { self.bits = (self.bits ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }

        /// High bits are folded into the low ones that pick the slot.
        func place(in size: Int) -> Int { Int(truncatingIfNeeded: self.bits ^ (self.bits >> 32)) & (size - 1) }
    }
}
