package import GRPCCore
package import MeshModel

/// Tells who is at the other end of a stream.
package protocol PeerAuthenticator: Sendable {
    /// Finds out once, when a stream begins.
    ///
    /// - Parameters:
    ///   - metadata: headers of the request, perhaps with a token.
    ///   - context: `transportSpecific` is what the transport knows of the peer, such as its certificate.
    /// - Returns: whom the peer proved to be; `nil`: nobody, which ends the stream with `UNAUTHENTICATED`.
    /// - Throws: `RPCError`, which the peer receives: it must not hold what the peer has sent as a secret.
    func identity(metadata: Metadata, context: ServerContext) async throws -> WorkloadID?
}

/// Why a proxy may not be who it says it is.
package struct ImpersonationError: Error, Equatable, CustomStringConvertible {
    package var description: String
}

extension ProxyKey {
    /// Notes that the peer has proved its identity; what it says of itself must agree.
    ///
    /// Of two pods with one identity each may say to be the other: they have the same rights.
    package mutating func authenticate(as identity: WorkloadID) throws(ImpersonationError) {
        guard self.workload.namespace == identity.namespace else {
            throw ImpersonationError(
                description: "the node says it is in namespace `\(self.workload.namespace)`, "
                    + "its credentials are of `\(identity.namespace)`"
            )
        }
        guard self.serviceAccount.isEmpty || self.serviceAccount == identity.serviceAccount else {
            throw ImpersonationError(
                description: "the node says its service account is `\(self.serviceAccount)`, "
                    + "its credentials are of `\(identity.serviceAccount)`"
            )
        }
        self.serviceAccount = identity.serviceAccount
        self.isAuthenticated = true
    }
}
