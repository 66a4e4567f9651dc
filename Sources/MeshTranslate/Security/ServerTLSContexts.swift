import MeshModel
import SwiftProtobuf
import XDSAPI

/// TLS of a gateway's server towards its clients, in Envoy's messages.
struct ServerTLSContexts {
    let settings: MeshSettings

    /// What takes TLS off; only for modes that do.
    func socket(_ tls: ServerTLSSettings, speaksHTTP: Bool) -> TransportSocket {
        if tls.mode == .istioMutual, tls.subjectAltNames.isEmpty {
            return MeshTLS(settings: self.settings).server(speaksHTTP: speaksHTTP)
        }
        var context = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext()
        context.requireClientCertificate = Google_Protobuf_BoolValue(Self.requiresCertificate(tls.mode))
        context.commonTlsContext.tlsParams = .init(from: tls.versionMin ?? .v1_2, to: tls.versionMax ?? .v1_3)
        context.commonTlsContext.tlsParams.cipherSuites = tls.cipherSuites
        // Behind a server that forwards bytes nobody knows what is spoken.
        context.commonTlsContext.alpnProtocols = speaksHTTP ? ["h2", "http/1.1"] : []
        self.setCertificate(tls, &context.commonTlsContext)
        switch tls.mode {
        case .mutual, .optionalMutual, .istioMutual: self.setValidation(tls, &context.commonTlsContext)
        case .simple, .passthrough, .autoPassthrough: ()
        }
        return .tls(context)
    }

    private static func requiresCertificate(_ mode: ServerTLSSettings.Mode) -> Bool {
        switch mode {
        case .mutual, .istioMutual: true
        case .simple, .optionalMutual, .passthrough, .autoPassthrough: false
        }
    }

    private func setCertificate(_ tls: ServerTLSSettings, _ context: inout CommonTLS) {
        if tls.mode == .istioMutual {
            context.tlsCertificateSdsSecretConfigs = [.aggregated(MeshTLS.certificateName)]
        } else if let name = tls.credentialName {
            context.tlsCertificateSdsSecretConfigs = [Self.secret(SecretName.certificate(name))]
        } else {
            context.tlsCertificates = [
                .with {
                    $0.certificateChain.filename = tls.certificatePath ?? ""
                    $0.privateKey.filename = tls.privateKeyPath ?? ""
                }
            ]
        }
    }

    /// What the certificate of a client must be.
    private func setValidation(_ tls: ServerTLSSettings, _ context: inout CommonTLS) {
        var validation = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext()
        validation.matchTypedSubjectAltNames = tls.subjectAltNames.map(NameMatcher.named)
        validation.verifyCertificateHash = tls.certificateHashes
        validation.verifyCertificateSpki = tls.publicKeyHashes
        if let list = tls.revocationListPath { validation.crl.filename = list }
        if tls.mode == .istioMutual {
            context.combinedValidationContext.defaultValidationContext = validation
            context.combinedValidationContext.validationContextSdsSecretConfig = .aggregated(MeshTLS.rootsName)
        } else if let name = tls.credentialName {
            context.combinedValidationContext.defaultValidationContext = validation
            context.combinedValidationContext.validationContextSdsSecretConfig = Self.secret(SecretName.roots(name))
        } else {
            validation.trustedCa.filename = tls.rootsPath ?? ""
            context.validationContext = validation
        }
    }

    /// A Secret that a person named, and that may not be there: the other servers of the port must not wait for it.
    private static func secret(_ name: String) -> Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig {
        var secret = Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig.aggregated(name)
        secret.sdsConfig.initialFetchTimeout = Google_Protobuf_Duration(seconds: 5)
        return secret
    }
}
