import CertificateAuthority
import Foundation
package import GRPCCore
package import Logging
import MeshModel
import SwiftASN1
import Synchronization
import X509
package import XDSAPI

/// `istio.v1.auth.IstioCertificateService`: signs requests of workloads that proved who they are.
package struct CertificateService: Istio_V1_Auth_IstioCertificateService.ServiceProtocol {
    private let authority: CurrentAuthority
    private let callers: CallerAuthenticator
    private let statistics: AuthorityStatistics
    private let limiter: LimiterBox
    private let logger: Logger

    package init(
        authority: CurrentAuthority,
        callers: CallerAuthenticator,
        statistics: AuthorityStatistics,
        limiter: RequestLimiter = RequestLimiter(),
        logger: Logger
    ) {
        self.authority = authority
        self.callers = callers
        self.statistics = statistics
        self.limiter = LimiterBox(limiter)
        self.logger = logger
    }

    package func createCertificate(
        request: ServerRequest<Istio_V1_Auth_IstioCertificateRequest>,
        context: ServerContext
    ) async throws -> ServerResponse<Istio_V1_Auth_IstioCertificateResponse> {
        self.statistics.count { $0.requests += 1 }
        guard self.limiter.admit(Self.host(of: context.remotePeer)) else {
            self.statistics.count { $0.limited += 1 }
            throw RPCError(code: .resourceExhausted, message: "too many certificate requests; try again later")
        }
        let certificate = (context.transportSpecific as? PeerCertificate)?.certificate
        let caller: Caller
        do {
            caller = try await self.callers.caller(metadata: request.metadata, certificate: certificate)
        } catch {
            self.statistics.count { $0.unauthenticated += 1 }
            self.logger.warning(
                "certificate refused, caller unknown",
                metadata: ["peer": "\(context.remotePeer)", "reason": "\((error as? RPCError)?.message ?? "\(error)")"]
            )
            throw error
        }
        let issued = try self.issue(request.message, to: caller)
        var response = Istio_V1_Auth_IstioCertificateResponse()
        response.certChain = try issued.answer
        return ServerResponse(message: response)
    }

    private func issue(
        _ message: Istio_V1_Auth_IstioCertificateRequest,
        to caller: Caller
    ) throws -> IssuedCertificate {
        guard let present = self.authority.present else {
            throw RPCError(code: .unavailable, message: "the authority is not ready yet; try again")
        }
        do {
            let request = try SigningRequest(pem: message.csr)
            let issued = try present.authority.issue(
                for: caller.identity,
                request: request,
                lifetime: message.validityDuration,
                now: Date()
            )
            self.statistics.count { $0.issued += 1 }
            self.logger.info(
                "certificate issued",
                metadata: [
                    "identity": "\(caller.identity)", "pod": "\(caller.pod ?? "-")",
                    "proof": "\(caller.proof.rawValue)",
                    "ends": "\(issued.notAfter)",
                ]
            )
            return issued
        } catch {
            self.statistics.count { $0.failures[error.code, default: 0] += 1 }
            self.logger.warning(
                "certificate refused",
                metadata: ["identity": "\(caller.identity)", "reason": "\(error)"]
            )
            switch error.code {
            case .malformedRequest, .badSignature, .keyRefused:
                throw RPCError(code: .invalidArgument, message: error.message)
            case .unusableAuthority, .expiredAuthority, .noIdentity:
                throw RPCError(code: .unavailable, message: "the authority cannot sign now: \(error.message)")
            }
        }
    }

    /// `ipv4:10.0.0.1:1234` without the port: a sender may use many.
    static func host(of peer: String) -> String {
        peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer
    }
}

/// A limiter that requests share, with a clock.
private final class LimiterBox: Sendable {
    private let limiter: Mutex<RequestLimiter>
    private let start = ContinuousClock.now

    init(_ limiter: RequestLimiter) { self.limiter = Mutex(limiter) }

    func admit(_ sender: String) -> Bool {
        let now = ContinuousClock.now - self.start
        return self.limiter.withLock { $0.admit(sender, now: now) }
    }
}
