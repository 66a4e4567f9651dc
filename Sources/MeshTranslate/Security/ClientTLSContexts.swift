import MeshModel
import SwiftProtobuf
import XDSAPI

/// TLS of one cluster towards its endpoints, in Envoy's messages.
struct ClientTLSContexts {
    /// Where the machine keeps the roots that everybody trusts (Debian's and Alpine's place). A file, because stock
    /// Envoy does not look for it by itself.
    static let systemRoots = "/etc/ssl/certs/ca-certificates.crt"

    /// What TLS has to know of a cluster.
    struct Destination {
        var host: HostName
        var port: Port
        var subset: String
        var content: MeshALPN.Content
        /// ServiceEntry `subjectAltNames`.
        var subjectAltNames: [String]
        var identities: ServiceIdentities

        /// The server name of the mesh, which a gateway may also route by.
        var meshServerName: String { "outbound_.\(self.port)_.\(self.subset)_.\(self.host)" }
    }

    let settings: MeshSettings
    let destination: Destination

    /// Mutual TLS with the mesh's identities, without anybody having asked for it.
    var automatic: TransportSocket { self.mesh(serverName: nil, names: [], isAsked: false) }

    /// What a DestinationRule says; `nil`: plain text.
    func socket(_ tls: ClientTLSSettings) -> TransportSocket? {
        switch tls.mode {
        case .disable: nil
        case .istioMutual: self.mesh(serverName: tls.serverName, names: tls.subjectAltNames, isAsked: true)
        case .simple, .mutual: .tls(self.context(tls))
        }
    }

    /// Whether the server name, and the name in the certificate, are those of each request: a wildcard's clients know
    /// best whom they mean.
    func takesNameOfRequest(_ tls: ClientTLSSettings) -> Bool {
        switch tls.mode {
        case .disable, .istioMutual: false
        case .simple, .mutual: tls.serverName == nil && self.destination.host.isWildcard && self.isHTTP
        }
    }

    /// Whether the certificate must then be one for that name.
    func verifiesNameOfRequest(_ tls: ClientTLSSettings) -> Bool {
        self.takesNameOfRequest(tls) && !tls.skipsVerification && self.namesWritten(tls).isEmpty
    }

    private var isHTTP: Bool { self.destination.content != .bytes }

    private func mesh(serverName: String?, names: [String], isAsked: Bool) -> TransportSocket {
        let mesh = MeshTLS(settings: self.settings)
        let accounts = self.destination.identities.accountsRequired(isAsked: isAsked)
        return mesh.client(
            serverName: serverName ?? self.destination.meshServerName,
            names: names.isEmpty ? mesh.identities(of: accounts ?? []) : names.map(NameMatcher.named),
            protocols: MeshALPN.client(self.destination.content)
        )
    }

    private func context(
        _ tls: ClientTLSSettings
    ) -> Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext {
        .with {
            $0.sni = tls.serverName ?? (self.destination.host.isWildcard ? "" : self.destination.host.text)
            $0.commonTlsContext.tlsParams = .init(from: .v1_2)
            $0.commonTlsContext.alpnProtocols = MeshALPN.publicClient(self.destination.content)
            if tls.mode == .mutual { self.setCertificate(tls, &$0.commonTlsContext) }
            // Without a validation context nothing is checked.
            if !tls.skipsVerification { self.setValidation(tls, &$0.commonTlsContext) }
        }
    }

    private func setCertificate(_ tls: ClientTLSSettings, _ context: inout CommonTLS) {
        if let name = tls.credentialName {
            context.tlsCertificateSdsSecretConfigs = [.aggregated(SecretName.certificate(name))]
        } else if let chain = tls.certificatePath, let key = tls.privateKeyPath {
            context.tlsCertificates = [
                .with {
                    $0.certificateChain.filename = chain
                    $0.privateKey.filename = key
                }
            ]
        }
    }

    private func setValidation(_ tls: ClientTLSSettings, _ context: inout CommonTLS) {
        var validation = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext()
        validation.matchTypedSubjectAltNames = self.names(tls)
        if let list = tls.revocationListPath { validation.crl.filename = list }
        if let name = tls.credentialName {
            context.combinedValidationContext.defaultValidationContext = validation
            context.combinedValidationContext.validationContextSdsSecretConfig = .aggregated(SecretName.roots(name))
        } else {
            validation.trustedCa.filename = tls.rootsPath ?? Self.systemRoots
            context.validationContext = validation
        }
    }

    private func namesWritten(_ tls: ClientTLSSettings) -> [String] {
        tls.subjectAltNames.isEmpty ? self.destination.subjectAltNames : tls.subjectAltNames
    }

    /// Names that the server's certificate must have one of; a chain that leads to a root proves little without.
    private func names(_ tls: ClientTLSSettings) -> [NameMatcher] {
        let written = self.namesWritten(tls)
        if !written.isEmpty { return written.map(NameMatcher.named) }
        if let name = tls.serverName { return [.named(name)] }
        guard self.destination.host.isWildcard else { return [.dns(self.destination.host.text)] }
        if self.takesNameOfRequest(tls) { return [] }
        // No request that would say which of the many it is: any of them.
        return [
            .with {
                $0.sanType = .dns
                $0.matcher.suffix = String(self.destination.host.text.dropFirst())
            }
        ]
    }
}
