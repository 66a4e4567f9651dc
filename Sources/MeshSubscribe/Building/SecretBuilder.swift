internal import Foundation
internal import MeshModel
internal import TrafficEngine
internal import XDSAPI

extension Envoy_Extensions_TransportSockets_Tls_V3_Secret: NamedResource { var resourceName: String { self.name } }

/// Secrets that came by SDS.
enum SecretBuilder {
    /// - Returns: `nil` if `findings` got one.
    static func build(
        _ message: Envoy_Extensions_TransportSockets_Tls_V3_Secret,
        _ findings: inout Findings
    ) -> TLSSecret? {
        switch message.type {
        case .tlsCertificate(let certificate):
            guard let chain = self.bytes(certificate.certificateChain, "tls_certificate.certificate_chain", &findings),
                let key = self.bytes(certificate.privateKey, "tls_certificate.private_key", &findings)
            else { return nil }
            if certificate.hasPassword { findings.add("tls_certificate.password", "is not supported") }
            return .certificate(TLSCredential(certificateChain: chain, privateKey: key))
        case .validationContext(let context):
            guard let roots = self.bytes(context.trustedCa, "validation_context.trusted_ca", &findings) else {
                return nil
            }
            guard context.hasCrl else { return .validation(roots: roots, revocationList: []) }
            return self.bytes(context.crl, "validation_context.crl", &findings).map {
                .validation(roots: roots, revocationList: $0)
            }
        case .sessionTicketKeys: findings.add("session_ticket_keys", "is not supported")
        case .genericSecret: findings.add("generic_secret", "is not supported")
        case nil: findings.add("type", "a secret needs tls_certificate or validation_context")
        }
        return nil
    }

    private static func bytes(
        _ source: Envoy_Config_Core_V3_DataSource,
        _ path: String,
        _ findings: inout Findings
    ) -> [UInt8]? {
        switch source.specifier {
        case .inlineBytes(let data) where !data.isEmpty: return Array(data)
        case .inlineString(let text) where !text.isEmpty: return Array(text.utf8)
        case .inlineBytes, .inlineString, nil: findings.add(path, "is empty")
        case .filename, .environmentVariable: findings.add(path, "a secret that is sent must be inline")
        }
        return nil
    }
}

extension Listener {
    /// Secrets of `ProxyState.secrets` that it names.
    var secretNames: [String] {
        (self.chains + [self.defaultChain].compactMap { $0 }).compactMap(\.tls).flatMap { tls in
            tls.certificates.compactMap(\.secretName) + [tls.validation?.secretName].compactMap { $0 }
        }
    }
}

extension Cluster {
    /// Secrets of `ProxyState.secrets` that it names.
    var secretNames: [String] {
        self.transports.compactMap { $0 }.flatMap { tls in
            [tls.certificate?.secretName, tls.validation.secretName].compactMap { $0 }
        }
    }
}

extension CertificateSource {
    fileprivate var secretName: String? { if case .secret(let name) = self { name } else { nil } }
}

extension PeerValidation {
    fileprivate var secretName: String? { if case .secret(let name) = self.roots { name } else { nil } }
}
