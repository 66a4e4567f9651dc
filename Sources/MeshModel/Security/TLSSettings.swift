/// Oldest or newest version of TLS that is spoken.
package enum TLSVersion: String, Hashable, Sendable, CaseIterable, Comparable {
    case v1_0, v1_1, v1_2, v1_3

    package static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }
}

/// How a client speaks TLS to a destination (DestinationRule `tls`).
package struct ClientTLSSettings: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable {
        case disable, simple, mutual
        /// Mutual, with the identity that the mesh gave to the workload.
        case istioMutual
    }

    package var mode: Mode
    /// Files in the proxy's file system; all or none, and only with `mutual`.
    package var certificatePath: String?
    package var privateKeyPath: String?
    /// File with the roots to trust; `nil`: the system's.
    package var rootsPath: String?
    /// Name of a Secret with certificate, key and roots, instead of files.
    package var credentialName: String?
    /// The server's certificate must have one of them; empty: the host name (`simple`, `mutual`) or the service
    /// account of the endpoints (`istioMutual`).
    package var subjectAltNames: [String] = []
    /// Name in the hello; `nil`: the destination's host for `simple` and `mutual`, Istio's `outbound_.PORT_._.HOST`
    /// for `istioMutual`.
    package var serverName: String?
    /// Takes any certificate.
    package var skipsVerification = false
    /// File with a list of revoked certificates.
    package var revocationListPath: String?

    package init(mode: Mode) { self.mode = mode }
}

/// How a gateway's server speaks TLS (Gateway `servers[].tls`).
package struct ServerTLSSettings: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable {
        /// Not terminated: routed by server name.
        case passthrough
        /// Not terminated, and routed to the cluster that the server name spells (`outbound_.443_._.host`).
        case autoPassthrough
        case simple, mutual
        /// A client certificate is looked at if there is one.
        case optionalMutual
        /// Mutual, with the identity that the mesh gave to the gateway.
        case istioMutual
    }

    package var mode: Mode
    package var certificatePath: String?
    package var privateKeyPath: String?
    /// Roots that client certificates must lead to.
    package var rootsPath: String?
    package var credentialName: String?
    package var subjectAltNames: [String] = []
    package var certificateHashes: [String] = []
    package var publicKeyHashes: [String] = []
    package var versionMin: TLSVersion?
    package var versionMax: TLSVersion?
    package var cipherSuites: [String] = []
    package var revocationListPath: String?

    package init(mode: Mode) { self.mode = mode }
}

/// Key, certificate and roots out of a Secret; PEM.
///
/// The description never shows the key.
package struct TLSCredential: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Leaf first; empty: the Secret holds roots only.
    package var certificateChain: [UInt8]
    package var privateKey: [UInt8]
    /// Empty: none given.
    package var roots: [UInt8]
    package var revocationList: [UInt8]

    package init(
        certificateChain: [UInt8] = [],
        privateKey: [UInt8] = [],
        roots: [UInt8] = [],
        revocationList: [UInt8] = []
    ) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.roots = roots
        self.revocationList = revocationList
    }

    package var description: String {
        "certificates \(self.certificateChain.count) B, key \(self.privateKey.isEmpty ? "none" : "[redacted]"), "
            + "roots \(self.roots.count) B"
    }
    package var debugDescription: String { self.description }
}
