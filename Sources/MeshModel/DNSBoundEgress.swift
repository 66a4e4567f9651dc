/// Whether workloads may connect only to addresses that their own DNS gave them for a name that they may reach.
///
/// Without it a workload may name one host and send to the address of another: the `Host` header and the server name
/// of TLS are whatever it writes there (facts #27, #28).
package struct DNSBoundEgress: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        case off = "OFF"
        /// What would be blocked is counted, and let through.
        case audit = "AUDIT"
        case enforce = "ENFORCE"
    }

    package static let graceDefault = Duration.seconds(30)

    package var mode = Mode.off
    /// How long an address may still be connected to after the record that gave it has expired: clients look names up
    /// anew only when they need to.
    package var grace = Self.graceDefault
    /// Addresses that may be dialled without any name.
    package var literals: [CIDR] = []

    package init() {}
}
