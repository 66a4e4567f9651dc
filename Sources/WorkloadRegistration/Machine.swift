package import MeshModel

/// A machine outside the cluster whose proxy is connected and asks to be registered.
package struct Machine: Hashable, Sendable {
    /// The WorkloadGroup that it says it belongs to.
    package var group: ObjectID
    package var address: IPAddress
    /// Empty: what the group says.
    package var network: String
    /// The name that it has itself, for its entry.
    package var name: String
    package var serviceAccount: String
    /// Whether a certificate or token proved the account.
    package var isAuthenticated: Bool
    /// Seconds since 1970.
    package var connectedAt: Int64

    package init(
        group: ObjectID,
        address: IPAddress,
        network: String = "",
        name: String,
        serviceAccount: String,
        isAuthenticated: Bool = true,
        connectedAt: Int64
    ) {
        self.group = group
        self.address = address
        self.network = network
        self.name = name
        self.serviceAccount = serviceAccount
        self.isAuthenticated = isAuthenticated
        self.connectedAt = connectedAt
    }

    /// The entry that it has: under its own name, or, where that is no name of an object, the group's and its address.
    package var entry: ObjectID {
        let fallback = "\(self.group.name)-\(self.address.description.replacing(":", with: "-"))"
        return ObjectID(namespace: self.group.namespace, name: Self.isObjectName(self.name) ? self.name : fallback)
    }

    /// A DNS subdomain (RFC 1123), as the API server asks of names.
    private static func isObjectName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            let dash = UInt8(ascii: "-")
            return !label.isEmpty && label.first != dash && label.last != dash
                && label.allSatisfy {
                    $0 == dash || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                }
        }
    }
}
