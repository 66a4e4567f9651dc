/// The forms that names and labels of Kubernetes objects must have (RFC 1123 and the API conventions).
package enum Names {
    static let labelRule =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        + "with an alphanumeric character (e.g. 'my-name',  or '123-abc')"
    static let subdomainRule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        + "and end with an alphanumeric character (e.g. 'example.com')"
    static let valueRule =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        + "and end with an alphanumeric character, at most 63 characters"

    package static func isLabel(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
            return false
        }
        return bytes.allSatisfy { self.isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    package static func isSubdomain(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                let bytes = Array(part.utf8)
                guard let first = bytes.first, let last = bytes.last else { return false }
                return self.isLowerAlphanumeric(first) && self.isLowerAlphanumeric(last)
                    && bytes.allSatisfy { self.isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            }
    }

    package static func isLabelValue(_ text: some StringProtocol) -> Bool { text.isEmpty || self.isLabelPart(text) }

    /// A label key: `name` or `prefix/name`.
    package static func isQualified(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return self.isLabelPart(parts[0])
        case 2: return self.isSubdomain(parts[0]) && self.isLabelPart(parts[1])
        default: return false
        }
    }

    private static func isLabelPart(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        return self.isAlphanumeric(first) && self.isAlphanumeric(last)
            && bytes.allSatisfy { self.isAlphanumeric($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        self.isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte)
    }

    /// Five letters and digits without those that form words, for `generateName`.
    static func randomSuffix(_ length: Int = 5) -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<length).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }
}
