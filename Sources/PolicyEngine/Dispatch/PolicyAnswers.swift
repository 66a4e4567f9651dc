/// Whether a request may pass, for how long that is good, and what the proxy does to it besides.
package struct CheckAnswer: Sendable, Hashable {
    package var status: PolicyStatus
    package var validDuration: Duration
    package var validUseCount: Int32
    /// What the answer depends on.
    package var references: AttributeReferences
    package var requestHeaders: [HeaderChange] = []
    package var responseHeaders: [HeaderChange] = []
    /// What the client gets in place of what it asked for, if it is refused.
    package var response: DirectResponse?
}

/// How much of a quota is granted.
package struct QuotaAnswer: Sendable, Hashable {
    package var status: PolicyStatus
    package var validDuration: Duration
    package var amount: Int64
    package var references: AttributeReferences
}
