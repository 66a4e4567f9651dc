internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import XDSAPI

/// Asks the mesh's authority for certificates (`istio.v1.auth.IstioCertificateService`).
package struct CertificateClient: Sendable {
    /// The authority answered, or did not, and there is no certificate.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    private let access: ControlPlaneAccess
    private let timeout: Duration

    package init(access: ControlPlaneAccess, timeout: Duration = .seconds(10)) {
        self.access = access
        self.timeout = timeout
    }

    /// Asks once, on a connection of its own: certificates are renewed once in many hours.
    ///
    /// - Parameters:
    ///   - request: PKCS #10 in PEM.
    ///   - lifetime: what is wished for.
    /// - Returns: PEM, the new certificate first, a root last.
    /// - Throws: `Refusal`
    package func certificates(for request: String, lifetime: Duration) async throws -> [String] {
        var options = CallOptions.defaults
        options.timeout = self.timeout
        options.waitForReady = false
        options.maxResponseMessageBytes = 1 << 20
        let message = Istio_V1_Auth_IstioCertificateRequest.with {
            $0.csr = request
            $0.validityDuration = lifetime.components.seconds
        }
        do {
            let chain = try await withGRPCClient(transport: self.access.transport()) { [options] client in
                let service = Istio_V1_Auth_IstioCertificateService.Client(wrapping: client)
                return try await service.createCertificate(
                    message,
                    metadata: self.access.metadata(),
                    options: options
                ).certChain
            }
            guard !chain.isEmpty else { throw Refusal(description: "the authority's answer has no certificate") }
            return chain
        } catch let error as Refusal {
            throw error
        } catch {
            throw Refusal(description: "\(self.access.address): \(words(error))")
        }
    }
}
