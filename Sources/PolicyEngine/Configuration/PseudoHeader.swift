internal import MeshModel

/// Parts of a request that are no header lines, and that header operations may name all the same.
enum PseudoHeader {
    private static let changeable = MessageChanges.routing.sorted()

    /// What is wrong with an operation of a rule, and in which of its members; `nil`: nothing, or its header is an
    /// ordinary one.
    ///
    /// A name that is worked out for each request is looked at by the proxy.
    static func mistake(
        name: String,
        kind: HeaderChange.Kind,
        valueCount: Int,
        isOfRequest: Bool
    ) -> (member: String, text: String)? {
        guard name.first == ":" else { return nil }
        let list = self.changeable.joined(separator: ", ")
        guard isOfRequest else { return ("name", "is no header: answers have none of \(list)") }
        guard self.changeable.contains(name.lowercased()) else { return ("name", "is no header, and none of \(list)") }
        guard kind == .replace else { return ("operation", "is not REPLACE, and a request has one \(name)") }
        return valueCount > 1 ? ("values", "are \(valueCount), and a request has one \(name)") : nil
    }
}
