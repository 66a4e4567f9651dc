/// A DNS host name of the mesh, lower-cased and without a trailing dot; its first label may be `*`.
///
/// Names are compared without regard to case (RFC 4343), so the text is stored in lower case once, at the edge.
package struct HostName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The name, for example `reviews.default.svc.cluster.local` or `*.wikipedia.org`.
    package let text: String

    /// Parses a name; `nil` if a label is empty, longer than 63 bytes, or has a character outside `[a-z0-9_-]`,
    /// or if the whole is longer than 253 bytes (RFC 1035 section 2.3.4).
    package init?(_ source: String) {
        var text = source.lowercased()
        if text.hasSuffix("."), text.count > 1 { text.removeLast() }
        guard !text.isEmpty, text.utf8.count <= 253 else { return nil }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for (index, label) in labels.enumerated() {
            if index == 0, label.elementsEqual("*".utf8) { continue }
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-"),
                label.allSatisfy(Self.isNameByte)
            else { return nil }
        }
        self.text = text
    }

    /// Whether the first label is `*`, so that the name stands for many.
    package var isWildcard: Bool { self.text.utf8.first == UInt8(ascii: "*") }

    package var description: String { self.text }

    /// Whether this name, which may be a wildcard, stands for `other` as well.
    ///
    /// `*.foo.com` stands for `a.foo.com` and `a.b.foo.com` and not for `foo.com` (facts #9).
    package func covers(_ other: HostName) -> Bool {
        guard self.isWildcard else { return self == other }
        let suffix = self.text.utf8.dropFirst()
        if suffix.isEmpty { return true }
        return other.text.utf8.count > suffix.count && other.text.hasSuffix(String(self.text.dropFirst()))
    }

    package static func < (left: HostName, right: HostName) -> Bool { left.text < right.text }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
