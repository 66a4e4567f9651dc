package import GRPCCore
package import MeshModel
import MeshPush

/// Streams of configuration are opened by the same proofs as certificates are given for.
extension CallerAuthenticator: PeerAuthenticator {
    package func identity(metadata: Metadata, context: ServerContext) async throws -> WorkloadID? {
        let certificate = (context.transportSpecific as? PeerCertificate)?.certificate
        return try await self.caller(metadata: metadata, certificate: certificate).identity
    }
}
