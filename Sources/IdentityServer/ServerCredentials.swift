import CertificateAuthority
import Crypto
package import Foundation
package import Logging
import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// The control plane's own certificate and whom it trusts, for each new connection as it is then.
package final class ServerCredentials: Sendable {
    private struct Material {
        var context: NIOSSLContext
        var bundle: String
        /// The authority's own certificate that it was issued with.
        var signer: Certificate
        var renewAt: Date
        var notAfter: Date
    }

    private let names: [String]
    private let logger: Logger
    private let material = Mutex<Material?>(nil)

    /// Clients call the control plane by one of `names`.
    package init(names: [String], logger: Logger) {
        self.names = names
        self.logger = logger
    }

    /// Names of a Service, as proxies may be told it.
    package static func names(service: String, namespace: String, domain: String) -> [String] {
        [
            "\(service).\(namespace).svc", "\(service).\(namespace).svc.\(domain)", "\(service).\(namespace)", service,
        ]
    }

    var context: NIOSSLContext? { self.material.withLock { $0?.context } }

    /// When the certificate ends; `nil` before there is one.
    package var notAfter: Date? { self.material.withLock { $0?.notAfter } }

    /// Issues a new certificate if there is none, half of its life is over, or the authority changed.
    ///
    /// - Parameters:
    ///   - present: the authority in use.
    ///   - now: the present.
    /// - Returns: when to call again at the latest.
    /// - Throws: if no certificate can be issued; the one there is stays in use.
    package func refresh(_ present: CurrentAuthority.Present, now: Date) throws -> Date {
        if let material = self.material.withLock({ $0 }), material.renewAt > now, material.bundle == present.bundle,
            material.signer == present.authority.signer
        {
            return material.renewAt
        }
        let fresh = try self.issue(present, now: now)
        self.material.withLock { $0 = fresh }
        self.logger.info(
            "server certificate issued",
            metadata: ["names": "\(self.names.first ?? "")", "ends": "\(fresh.notAfter)"]
        )
        return fresh.renewAt
    }

    /// Keeps the certificate fresh until cancelled.
    package func run(_ authority: CurrentAuthority) async {
        await withTaskGroup(of: Void.self) { group in
            // Looks once a minute as well: clocks are set, machines sleep.
            group.addTask {
                while !Task.isCancelled {
                    self.refreshIfPossible(authority)
                    do { try await Task.sleep(for: .seconds(60)) } catch { return }
                }
            }
            group.addTask { for await _ in authority.changes() { self.refreshIfPossible(authority) } }
            await group.waitForAll()
        }
    }

    private func refreshIfPossible(_ authority: CurrentAuthority) {
        guard let present = authority.present else { return }
        do {
            _ = try self.refresh(present, now: Date())
        } catch {
            self.logger.error("no server certificate can be issued", metadata: ["error": "\(error)"])
        }
    }

    private func issue(_ present: CurrentAuthority.Present, now: Date) throws -> Material {
        let key = P256.Signing.PrivateKey()
        let policy = present.authority.policy
        let issued = try present.authority.issue(
            dnsNames: self.names,
            to: Certificate.PublicKey(key.publicKey),
            from: now.addingTimeInterval(-policy.backdating.seconds),
            until: now.addingTimeInterval(policy.lifetime.seconds),
            now: now
        )
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(issued.chain.joined().utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))
        )
        tls.minimumTLSVersion = .tlsv12
        // A proxy without a certificate proves itself by a token; one that shows a certificate must show a good one.
        tls.certificateVerification = .optionalVerification
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(present.bundle.utf8)))
        tls.applicationProtocols = ["h2"]
        return Material(
            context: try NIOSSLContext(configuration: tls),
            bundle: present.bundle,
            signer: present.authority.signer,
            renewAt: now.addingTimeInterval(max(1, issued.notAfter.timeIntervalSince(now) / 2)),
            notAfter: issued.notAfter
        )
    }
}
