package import GRPCCore
package import MeshPush

/// Streams of configuration are opened by the same proofs as certificates are given for.
extension CallerAuthenticator: PeerAuthenticator {
    package func peer(metadata: Metadata, context: ServerContext) async throws -> ProvenPeer? {
        let certificate = (context.transportSpecific as? PeerCertificate)?.certificate
        let caller = try await self.caller(metadata: metadata, certificate: certificate)
        return ProvenPeer(identity: caller.identity, pod: caller.pod)
    }
}
