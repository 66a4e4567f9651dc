internal import MeshModel

/// Whether a certificate's DNS name stands for a host (RFC 9525 section 6.3).
package enum DNSIdentity {
    /// Compares a name of a certificate with the host that was asked for.
    ///
    /// A wildcard is the whole of the leftmost label, stands for exactly one label, and leaves at least two behind it.
    package static func matches(_ presented: String, _ host: String) -> Bool {
        let presented = Self.labels(presented)
        let host = Self.labels(host)
        guard let presented, let host, presented.count == host.count else { return false }
        if presented[0].elementsEqual("*".utf8) {
            guard presented.count >= 3, !host[0].isEmpty, !host[0].contains(UInt8(ascii: "*")) else { return false }
            return zip(presented, host).dropFirst().allSatisfy { Self.equals($0, $1) }
        }
        return zip(presented, host).allSatisfy { Self.equals($0, $1) }
    }

    static func isAddress(_ host: String) -> Bool { IPAddress(Self.unbracketed(host)) != nil }

    static func canonicalAddress(_ host: String) -> String {
        IPAddress(Self.unbracketed(host)).map(\.description) ?? host
    }

    private static func unbracketed(_ host: String) -> String {
        host.utf8.first == UInt8(ascii: "[") && host.utf8.last == UInt8(ascii: "]")
            ? String(host.dropFirst().dropLast()) : host
    }

    /// `nil` for what is no name: an empty label anywhere but for a final dot.
    private static func labels(_ name: String) -> [Substring.UTF8View]? {
        var view = Substring(name).utf8
        if view.last == UInt8(ascii: ".") { view = view.dropLast() }
        let labels = view.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.contains(where: \.isEmpty) ? nil : labels
    }

    private static func equals(_ left: Substring.UTF8View, _ right: Substring.UTF8View) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { Bytes.lowered($0) == Bytes.lowered($1) }
    }
}
