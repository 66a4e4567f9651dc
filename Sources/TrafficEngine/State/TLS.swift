package import MeshModel

/// TLS on connections that come in (Envoy `DownstreamTlsContext`).
package struct ServerTLS: Hashable, Sendable {
    /// The one that fits the server name is shown; the first if none does.
    package var certificates: [CertificateSource]
    /// How a client's certificate is checked; `nil`: none is asked for.
    package var validation: PeerValidation?
    package var requiresClientCertificate: Bool
    /// In order of preference; empty: ALPN is not answered.
    package var applicationProtocols: [String]
    package var versionMin: TLSVersion
    package var versionMax: TLSVersion
    /// OpenSSL's names, for TLS 1.2; empty: the library's choice.
    package var cipherSuites: [String]

    package init(
        certificates: [CertificateSource],
        validation: PeerValidation? = nil,
        requiresClientCertificate: Bool = false,
        applicationProtocols: [String] = [],
        versionMin: TLSVersion = .v1_2,
        versionMax: TLSVersion = .v1_3,
        cipherSuites: [String] = []
    ) {
        self.certificates = certificates
        self.validation = validation
        self.requiresClientCertificate = requiresClientCertificate
        self.applicationProtocols = applicationProtocols
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.cipherSuites = cipherSuites
    }
}

/// TLS on connections to endpoints (Envoy `UpstreamTlsContext`).
package struct ClientTLS: Hashable, Sendable {
    /// Shown if the server asks; `nil`: none.
    package var certificate: CertificateSource?
    package var validation: PeerValidation
    /// Name in the hello; `nil`: none. `usesHostAsServerName` takes the request's host instead.
    package var serverName: String?
    package var usesHostAsServerName: Bool
    package var applicationProtocols: [String]
    package var versionMin: TLSVersion
    package var versionMax: TLSVersion
    package var cipherSuites: [String]

    package init(
        certificate: CertificateSource? = nil,
        validation: PeerValidation,
        serverName: String? = nil,
        usesHostAsServerName: Bool = false,
        applicationProtocols: [String] = [],
        versionMin: TLSVersion = .v1_2,
        versionMax: TLSVersion = .v1_3,
        cipherSuites: [String] = []
    ) {
        self.certificate = certificate
        self.validation = validation
        self.serverName = serverName
        self.usesHostAsServerName = usesHostAsServerName
        self.applicationProtocols = applicationProtocols
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.cipherSuites = cipherSuites
    }
}

extension ServerTLS {
    /// Clients show certificates of the mesh's own authority.
    package var isOfMesh: Bool { self.validation?.roots == .secret(TLSSecret.meshRoots) }
}

extension ClientTLS {
    /// Both sides show the mesh's own certificates.
    package var isOfMesh: Bool {
        self.certificate == .secret(TLSSecret.ownCertificate) && self.validation.roots == .secret(TLSSecret.meshRoots)
    }
}

/// Where a certificate and its key come from.
package enum CertificateSource: Hashable, Sendable {
    /// A secret of `ProxyState.secrets`.
    case secret(String)
    /// Files, read again when they change.
    case files(chain: String, key: String)
    /// PEM.
    case inline(TLSCredential)
}

/// How a peer's certificate is checked (Envoy `CertificateValidationContext`).
package struct PeerValidation: Hashable, Sendable {
    package enum Roots: Hashable, Sendable {
        /// A secret of `ProxyState.secrets`.
        case secret(String)
        case file(String)
        /// PEM.
        case inline([UInt8])
        /// The machine's own.
        case system
        /// No chain is checked.
        case none
    }

    package enum NameKind: Hashable, Sendable { case any, dns, uri, email, address }

    package struct Name: Hashable, Sendable {
        package var kind: NameKind
        package var match: NameMatch

        package init(kind: NameKind = .any, match: NameMatch) {
            self.kind = kind
            self.match = match
        }
    }

    package enum NameMatch: Hashable, Sendable {
        /// For DNS names the certificate's wildcard counts (RFC 9525 section 6.3).
        case exact(String)
        case prefix(String)
        case suffix(String)
        case contains(String)
        /// RE2 syntax, the whole name.
        case regex(String)
    }

    package var roots: Roots
    /// The peer's certificate must have one of them; empty: any.
    package var names: [Name]
    /// The server's certificate must stand for the name that was asked for (`SIMPLE` by default).
    package var verifiesHostName: Bool
    /// SHA-256 of the certificate or of its public key, lower-case hex and base64; empty: not compared.
    package var certificateHashes: [String]
    package var publicKeyHashes: [String]
    /// PEM; empty: none.
    package var revocationList: CertificateRevocation

    package enum CertificateRevocation: Hashable, Sendable {
        case none
        case file(String)
        case inline([UInt8])
    }

    package init(
        roots: Roots,
        names: [Name] = [],
        verifiesHostName: Bool = false,
        certificateHashes: [String] = [],
        publicKeyHashes: [String] = [],
        revocationList: CertificateRevocation = .none
    ) {
        self.roots = roots
        self.names = names
        self.verifiesHostName = verifiesHostName
        self.certificateHashes = certificateHashes
        self.publicKeyHashes = publicKeyHashes
        self.revocationList = revocationList
    }
}

/// What a name of `ProxyState.secrets` stands for.
///
/// The workload's own certificate is `default`, the mesh's roots are `ROOTCA` (Istio's names).
package enum TLSSecret: Hashable, Sendable {
    case certificate(TLSCredential)
    /// Roots, and a revocation list if there is one; PEM.
    case validation(roots: [UInt8], revocationList: [UInt8])

    package static let ownCertificate = "default"
    package static let meshRoots = "ROOTCA"
}

/// Who is at the other end of a TLS connection, for policies, headers and logs.
package struct PeerIdentity: Hashable, Sendable {
    /// URI names of the certificate, in its order; a mesh identity is the first one.
    package var uris: [String]
    package var dnsNames: [String]
    /// RFC 2253 form.
    package var subject: String
    /// SHA-256 of the certificate, lower-case hex.
    package var hash: String
    /// PEM, URL-encoded; empty unless a header asks for it.
    package var certificate: String

    package init(
        uris: [String] = [],
        dnsNames: [String] = [],
        subject: String = "",
        hash: String = "",
        certificate: String = ""
    ) {
        self.uris = uris
        self.dnsNames = dnsNames
        self.subject = subject
        self.hash = hash
        self.certificate = certificate
    }
}
