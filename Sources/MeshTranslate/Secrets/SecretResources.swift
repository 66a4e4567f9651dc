import Foundation
import MeshModel
import SwiftProtobuf
import XDSAPI

/// Puts what Secrets hold into messages, for exactly the names that a proxy's configuration has.
struct SecretResources {
    /// Out of the whole mesh.
    let credentials: [ObjectID: TLSCredential]
    /// Of the proxy: it is given Secrets of its own namespace alone.
    let namespace: String

    private typealias Secret = Envoy_Extensions_TransportSockets_Tls_V3_Secret
    private typealias UpstreamTLS = Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext
    private typealias DownstreamTLS = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext

    /// In order of names; a name without a Secret is left out, and the proxy goes on waiting for it.
    func secrets(namedBy resources: ProxyResources) -> [Envoy_Extensions_TransportSockets_Tls_V3_Secret] {
        var contexts: [CommonTLS] = []
        for listener in resources.listeners {
            for chain in listener.filterChains + [listener.defaultFilterChain] where chain.hasTransportSocket {
                if let context = Self.unpacked(DownstreamTLS.self, chain.transportSocket) {
                    contexts.append(context.commonTlsContext)
                }
            }
        }
        for cluster in resources.clusters where cluster.hasTransportSocket {
            if let context = Self.unpacked(UpstreamTLS.self, cluster.transportSocket) {
                contexts.append(context.commonTlsContext)
            }
        }
        let certificates = Set(contexts.flatMap { $0.tlsCertificateSdsSecretConfigs.map(\.name) })
        let roots = Set(contexts.compactMap(\.rootsName))
        let found = certificates.sorted().compactMap(self.certificate) + roots.sorted().compactMap(self.roots)
        return found.sorted { $0.name < $1.name }
    }

    private func certificate(_ name: String) -> Secret? {
        guard let secret = SecretName.certificateSecret(name), let credential = self.credential(secret),
            !credential.certificateChain.isEmpty, !credential.privateKey.isEmpty
        else { return nil }
        return .with {
            $0.name = name
            $0.tlsCertificate.certificateChain.inlineBytes = .init(credential.certificateChain)
            $0.tlsCertificate.privateKey.inlineBytes = .init(credential.privateKey)
        }
    }

    private func roots(_ name: String) -> Secret? {
        let found = SecretName.rootsSecrets(name).lazy.compactMap(self.credential).first { !$0.roots.isEmpty }
        guard let credential = found else { return nil }
        return .with {
            $0.name = name
            $0.validationContext.trustedCa.inlineBytes = .init(credential.roots)
            if !credential.revocationList.isEmpty {
                $0.validationContext.crl.inlineBytes = .init(credential.revocationList)
            }
        }
    }

    private func credential(_ name: String) -> TLSCredential? {
        self.credentials[ObjectID(namespace: self.namespace, name: name)]
    }

    private static func unpacked<Message: SwiftProtobuf.Message>(
        _: Message.Type,
        _ socket: TransportSocket
    ) -> Message? {
        guard socket.typedConfig.isA(Message.self) else { return nil }
        // We have packed it ourselves; what could not be read would also be of no use to a proxy.
        return try? Message(unpackingAny: socket.typedConfig)
    }
}

extension CommonTLS {
    fileprivate var rootsName: String? {
        switch self.validationContextType {
        case .validationContextSdsSecretConfig(let source): source.name
        case .combinedValidationContext(let context): context.validationContextSdsSecretConfig.name
        case .validationContext, nil: nil
        }
    }
}
