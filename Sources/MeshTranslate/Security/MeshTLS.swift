import MeshModel
import SwiftProtobuf
import XDSAPI

/// Mutual TLS with the identities that the mesh gives to workloads, in Envoy's messages.
struct MeshTLS {
    /// The workload's own certificate and key; each proxy fills it in itself, as nobody else has the key.
    static let certificateName = "default"
    /// The roots of the mesh; filled in likewise.
    static let rootsName = "ROOTCA"

    let settings: MeshSettings

    /// The end that takes connections: any identity of the mesh, and no connection without one.
    func server(speaksHTTP: Bool) -> TransportSocket {
        .tls(
            .with {
                $0.requireClientCertificate = Google_Protobuf_BoolValue(true)
                $0.commonTlsContext = self.common(
                    names: self.anyIdentity,
                    protocols: speaksHTTP ? MeshALPN.httpServer : MeshALPN.bytesServer
                )
            }
        )
    }

    /// The end that opens connections; without `names` any identity of the mesh will do.
    func client(serverName: String, names: [NameMatcher], protocols: [String]) -> TransportSocket {
        .tls(
            .with {
                $0.sni = serverName
                $0.commonTlsContext = self.common(names: names.isEmpty ? self.anyIdentity : names, protocols: protocols)
            }
        )
    }

    /// Every identity of our trust domains.
    var anyIdentity: [NameMatcher] { self.trustDomains.map { .uri(prefix: "spiffe://\($0)/") } }

    /// The identities that `accounts` have, in each trust domain that counts as ours.
    func identities(of accounts: Set<ServiceIdentities.Account>) -> [NameMatcher] {
        let uris = accounts.flatMap { account in
            self.trustDomains.compactMap {
                WorkloadID(trustDomain: $0, namespace: account.namespace, serviceAccount: account.name)?.uri
            }
        }
        return uris.sorted().map { .uri($0) }
    }

    private var trustDomains: [String] {
        let aliases = self.settings.trustDomainAliases.filter { $0 != self.settings.trustDomain }
        return [self.settings.trustDomain] + Set(aliases).sorted()
    }

    private func common(names: [NameMatcher], protocols: [String]) -> CommonTLS {
        .with {
            $0.tlsParams = .init(from: self.settings.meshTLSVersionMin)
            $0.tlsCertificateSdsSecretConfigs = [.aggregated(Self.certificateName)]
            $0.combinedValidationContext.defaultValidationContext.matchTypedSubjectAltNames = names
            $0.combinedValidationContext.validationContextSdsSecretConfig = .aggregated(Self.rootsName)
            $0.alpnProtocols = protocols
        }
    }
}
