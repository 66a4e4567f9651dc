package import CertificateAuthority
package import Foundation
import Synchronization

/// Counts what the certificate service does; names and labels come from closed sets.
package final class AuthorityStatistics: Sendable {
    package struct Counts: Sendable, Equatable {
        package var requests: UInt64 = 0
        package var issued: UInt64 = 0
        package var unauthenticated: UInt64 = 0
        package var limited: UInt64 = 0
        package var failures: [AuthorityError.Code: UInt64] = [:]
        /// When the root, and the certificate that signs, end; `nil` while there is none.
        package var rootEnds: Date?
        package var chainEnds: Date?

        package init() {}
    }

    private let counts = Mutex(Counts())

    package init() {}

    package var current: Counts { self.counts.withLock { $0 } }

    func count(_ change: (inout Counts) -> Void) { self.counts.withLock { change(&$0) } }
}
