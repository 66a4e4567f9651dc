package import GRPCCore
package import MeshModel

/// Whom a peer has proved to be.
package struct ProvenPeer: Hashable, Sendable {
    package var identity: WorkloadID
    /// The pod that its token is bound to; `nil`: it showed a certificate, or a token of no pod.
    package var pod: String?

    package init(identity: WorkloadID, pod: String? = nil) {
        self.identity = identity
        self.pod = pod
    }
}

/// Tells who is at the other end of a stream.
package protocol PeerAuthenticator: Sendable {
    /// Finds out once, when a stream begins.
    ///
    /// - Parameters:
    ///   - metadata: headers of the request, perhaps with a token.
    ///   - context: `transportSpecific` is what the transport knows of the peer, such as its certificate.
    /// - Returns: whom the peer proved to be; `nil`: nobody, which ends the stream with `UNAUTHENTICATED`.
    /// - Throws: `RPCError`, which the peer receives: it must not hold what the peer has sent as a secret.
    func peer(metadata: Metadata, context: ServerContext) async throws -> ProvenPeer?
}

/// Why a proxy may not be who it says it is.
package struct ImpersonationError: Error, Equatable, CustomStringConvertible {
    package var description: String
}

extension ProxyKey {
    /// Notes that the peer has proved its identity; what it says of itself must agree.
    ///
    /// What it says of its labels is not proved by this: see ``confirm(in:)``.
    package mutating func authenticate(as peer: ProvenPeer) throws(ImpersonationError) {
        let identity = peer.identity
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
        guard peer.pod == nil || peer.pod == self.workload.name else {
            throw ImpersonationError(
                description: "the node says it is pod `\(self.workload.name)`, its token is of `\(peer.pod ?? "")`"
            )
        }
        self.serviceAccount = identity.serviceAccount
        self.isAuthenticated = true
    }

    /// Takes the labels from what the cluster knows of the workload: by them a Gateway is chosen, and with it the keys
    /// of its certificates, so the word of a proxy that only proved its account must not count.
    ///
    /// A machine outside the cluster has none but its own before it is registered, and a pod can be younger than what
    /// is known here. As a sidecar either may say what it likes of itself; it gets nothing by it that its account may
    /// not have. A gateway must be known.
    ///
    /// - Throws: `ImpersonationError` if the cluster knows another workload there; it may know better in a moment.
    package mutating func confirm(in snapshot: MeshSnapshot) throws(ImpersonationError) {
        if let workload = self.known(in: snapshot) {
            guard workload.isMachine || workload.id == self.workload else {
                throw ImpersonationError(
                    description: "the node says it is `\(self.workload)`, its address \(self.address) is that of "
                        + "`\(workload.id)`"
                )
            }
            guard workload.serviceAccount == self.serviceAccount else {
                throw ImpersonationError(
                    description: "service account `\(self.serviceAccount)` is proved, but `\(workload.id)` runs as "
                        + "`\(workload.serviceAccount)`"
                )
            }
            self.labels = workload.labels
        } else if self.role == .router {
            throw ImpersonationError(
                description: "no pod `\(self.workload)` with address \(self.address) is known here: the labels of a "
                    + "gateway are those that the cluster knows, so its pod or WorkloadEntry must be there first"
            )
        }
    }

    private func known(in snapshot: MeshSnapshot) -> Workload? {
        if let workload = snapshot.workloads[self.address] {
            // Anybody may write an entry for an address; one of another namespace says nothing about this proxy.
            if !workload.isMachine || workload.id.namespace == self.workload.namespace { return workload }
        }
        // Pods with the network of their node share its address.
        return snapshot.nodeWorkloads[self.workload]
    }
}
