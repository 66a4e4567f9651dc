#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// How a request ended that a pod did not answer, and whether it may go to another one.
package enum ForwardFailure: Sendable, Hashable {
    /// No connection was made: nothing of the request has left.
    case notConnected
    /// A connection ended; the pod may have carried out the request.
    case connectionEnded
    case other

    /// Safe methods whose requests may be sent again by themselves (RFC 9110 sections 9.2.1 and 9.2.2).
    private static let safeMethods: Set<String> = ["GET", "HEAD", "OPTIONS", "TRACE"]
    /// A connection that stands learns of an unreachable host only after many retransmissions.
    private static let connectMax: Duration = .seconds(1)

    /// What an error number of a socket says, `elapsed` after the attempt began. The same numbers come from connections
    /// that are being made and from those that broke.
    package init(errno number: Int32, elapsed: Duration) {
        switch number {
        case ECONNREFUSED: self = .notConnected
        case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL:
            self = elapsed < Self.connectMax ? .notConnected : .connectionEnded
        case ECONNRESET, EPIPE, ETIMEDOUT: self = .connectionEnded
        default: self = .other
        }
    }

    /// Whether the request may go to another pod, or the same one on another connection. One that could have an effect
    /// twice may not; neither may one whose body has been read.
    package func allowsRepetition(method: String, hasBody: Bool) -> Bool {
        switch self {
        case .notConnected: true
        case .connectionEnded: !hasBody && Self.safeMethods.contains(method)
        case .other: false
        }
    }
}
