/// Who a workload is: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
package struct WorkloadID: Hashable, Sendable, CustomStringConvertible {
    package let trustDomain: String
    package let namespace: String
    package let serviceAccount: String

    /// - Returns: `nil` if a part is empty or has a character that the form does not allow.
    package init?(trustDomain: String, namespace: String, serviceAccount: String) {
        for part in [trustDomain, namespace, serviceAccount] {
            guard (1...255).contains(part.utf8.count), part.utf8.allSatisfy(Self.isAllowed) else { return nil }
        }
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }

    /// Reads exactly the form above; anything more or less is no identity.
    package init?(_ uri: String) {
        let prefix = "spiffe://"
        guard uri.hasPrefix(prefix) else { return nil }
        let parts = uri.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[1] == "ns", parts[3] == "sa" else { return nil }
        self.init(trustDomain: String(parts[0]), namespace: String(parts[2]), serviceAccount: String(parts[4]))
    }

    package var uri: String { "spiffe://\(self.trustDomain)/ns/\(self.namespace)/sa/\(self.serviceAccount)" }
    package var description: String { self.uri }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
