/// What the policy engine makes of the parts of a request that are no header lines; `nil`: they stay as they are.
///
/// The values are whole and valid parts of a request: who reads an answer of the engine has checked them.
package struct RequestLineEdits: Hashable, Sendable {
    package var method: [UInt8]?
    /// Path and query, in origin form, or `*`.
    package var target: [UInt8]?
    /// Host, and port if there is one.
    package var authority: [UInt8]?

    package init(method: [UInt8]? = nil, target: [UInt8]? = nil, authority: [UInt8]? = nil) {
        self.method = method
        self.target = target
        self.authority = authority
    }

    package var isEmpty: Bool { self.method == nil && self.target == nil && self.authority == nil }
}
