/// A TCP or UDP port, 1 to 65535.
package struct Port: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let number: UInt16

    /// `nil` if `value` is no port; the value comes from a person or a peer, so it never traps.
    package init?(_ value: some BinaryInteger) {
        guard let number = UInt16(exactly: value), number > 0 else { return nil }
        self.number = number
    }

    package var description: String { String(self.number) }

    package static func < (left: Port, right: Port) -> Bool { left.number < right.number }
}
