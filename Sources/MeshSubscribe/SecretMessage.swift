internal import Foundation
internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Secrets as Envoy takes them.
enum SecretMessage {
    static func make(_ name: String, _ secret: TLSSecret) -> Envoy_Extensions_TransportSockets_Tls_V3_Secret {
        .with {
            $0.name = name
            switch secret {
            case .certificate(let credential):
                $0.tlsCertificate.certificateChain.inlineBytes = Data(credential.certificateChain)
                $0.tlsCertificate.privateKey.inlineBytes = Data(credential.privateKey)
            case .validation(let roots, let revocationList):
                $0.validationContext.trustedCa.inlineBytes = Data(roots)
                if !revocationList.isEmpty { $0.validationContext.crl.inlineBytes = Data(revocationList) }
            }
        }
    }
}
