import Logging
import MeshModel
import MeshSubscribe
import WorkloadIdentity

extension CertificateClient: CertificateIssuer {}

/// Who the workload is for the control plane and for its peers.
struct ProxyIdentity: Sendable {
    struct Options: Sendable {
        var identity: WorkloadID
        var source: IdentityKeeper.Source
        var directory: CertificateDirectory
        /// The roots that the control plane is checked with, in PEM.
        var rootFile: String
        var tokenFile: String
        var algorithm: WorkloadKey.Algorithm
        var lifetime: Duration
        /// What the control plane's certificate is for; `nil`: its host.
        var serverName: String? = nil
    }

    let access: ControlPlaneAccess
    let keeper: IdentityKeeper

    /// - Parameters:
    ///   - options: where everything is.
    ///   - host: the control plane.
    ///   - port: of its service with TLS.
    ///   - join: knows the current certificate.
    init(_ options: Options, host: String, port: Int, join: StateJoin) {
        let logger = Logger(label: "identity")
        let access = ControlPlaneAccess(
            host: host,
            port: port,
            security: {
                let current = join.identity
                return .tls(
                    ControlPlaneAccess.TLS(
                        serverName: options.serverName ?? ControlPlaneAccess.serverName(of: host),
                        roots: try Self.roots(options.rootFile, current),
                        // One that is over would be refused; the token is not.
                        certificate: current.flatMap {
                            $0.leaf.validUntil > IdentityKeeper.World.real.now() ? $0.credential : nil
                        }
                    )
                )
            },
            token: { Self.token(options.tokenFile, logger) }
        )
        self.access = access
        self.keeper = IdentityKeeper(
            configuration: IdentityKeeper.Configuration(
                identity: options.identity,
                source: options.source,
                directory: options.directory,
                rootFile: options.rootFile,
                algorithm: options.algorithm,
                lifetime: options.lifetime
            ),
            issuer: CertificateClient(access: access),
            logger: logger
        )
    }

    /// The mounted roots; without them those that came with the certificate.
    private static func roots(_ path: String, _ current: WorkloadCertificate?) throws -> [UInt8] {
        if let roots = try CertificateDirectory.read(path), !roots.isEmpty { return roots }
        if let roots = current?.credential.roots, !roots.isEmpty { return roots }
        throw StartError("there is no root certificate in \(path) to check the control plane with")
    }

    /// Kubernetes renews the file; it is read for each use.
    private static func token(_ path: String, _ logger: Logger) -> String? {
        do {
            guard let bytes = try CertificateDirectory.read(path) else { return nil }
            let isText = { (byte: UInt8) in byte > 32 && byte < 127 }
            return String(decoding: bytes.filter(isText), as: UTF8.self)
        } catch {
            logger.warning("token not read", metadata: ["reason": "\(error)"])
            return nil
        }
    }
}
