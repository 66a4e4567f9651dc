import Foundation
import KubernetesAPI
package import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The embedded Kubernetes-compatible API server: REST over TLS, objects in SQLite.
///
/// It stays small on purpose: whatever speaks to it uses the Kubernetes API and works the same against a real cluster.
package final class LocalAPIServer: Sendable {
    private enum Readiness {
        case starting([CheckedContinuation<Int, any Error>])
        case ready(port: Int)
        case failed(any Error)
    }

    private let configuration: APIServerConfiguration
    private let backend: any PodBackend
    private let logger: Logger
    private let readiness = Mutex(Readiness.starting([]))

    private static let bindRetryInterval: Duration = .milliseconds(500)

    package init(configuration: APIServerConfiguration, backend: any PodBackend, logger: Logger) {
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
    }

    /// Serves until the task is cancelled.
    ///
    /// - Throws: ``APIServerError`` if the server cannot start; its message is fit for people.
    package func run() async throws {
        do {
            try await self.start()
        } catch is CancellationError {
            self.settle(.failed(APIServerError("the API server was stopped")))
        } catch {
            self.settle(.failed(error))
            throw error
        }
    }

    /// Returns the port once requests are served; throws what kept the server from starting.
    @discardableResult
    package func waitUntilReady() async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            let result: Result<Int, any Error>? = self.readiness.withLock { readiness in
                switch readiness {
                case .starting(let waiting):
                    readiness = .starting(waiting + [continuation])
                    return nil
                case .ready(let port): return .success(port)
                case .failed(let error): return .failure(error)
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    private func settle(_ outcome: Readiness) {
        let waiting = self.readiness.withLock { readiness in
            guard case .starting(let waiting) = readiness else {
                if case .failed = outcome { readiness = outcome }
                return [CheckedContinuation<Int, any Error>]()
            }
            readiness = outcome
            return waiting
        }
        for continuation in waiting {
            switch outcome {
            case .ready(let port): continuation.resume(returning: port)
            case .failed(let error): continuation.resume(throwing: error)
            case .starting: ()
            }
        }
    }

    private func start() async throws {
        let configuration = self.configuration
        try PrivateFiles.makeFolder(configuration.stateFolder)
        let pki = try ClusterPKI.open(configuration)
        let store = try ObjectStore(file: configuration.storeFile, historyMax: configuration.watchHistoryMax)
        let tokens = try await ServiceAccountTokens(
            keyPEM: pki.tokenKeyPEM,
            clusterDomain: configuration.clusterDomain
        )
        let service = ResourceService(
            store: store,
            registry: ResourceRegistry(preferredVersions: configuration.preferredVersions),
            admission: AdmissionWebhooks(store: store, logger: self.logger),
            configuration: configuration,
            caPEM: pki.caPEM,
            logger: self.logger
        )
        let listener = HTTPListener(
            tls: try Self.tlsContext(pki),
            connection: HTTPConnection(
                dispatcher: APIDispatcher(
                    service: service,
                    tokens: tokens,
                    backend: self.backend,
                    address: { [address = configuration.address, fixed = configuration.port] in "\(address):\(fixed)" },
                    logger: self.logger
                ),
                authenticator: Authenticator(tokens: tokens, store: store),
                bodyBytesMax: configuration.bodyBytesMax,
                logger: self.logger
            ),
            connectionsMax: configuration.connectionsMax,
            logger: self.logger
        )
        let server = try await listener.bind(address: configuration.address, port: configuration.port)
        let bound = server.channel.localAddress?.port ?? configuration.port
        try await DefaultObjects(service: service, port: bound).write()
        try PrivateFiles.write(
            Kubeconfig.text(
                server: "https://\(configuration.address):\(bound)",
                name: configuration.clusterName,
                pki: pki
            ),
            to: configuration.kubeconfigFile,
            mode: 0o600
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.serve(server) }
            group.addTask { try await Housekeeper(service: service, logger: self.logger).run() }
            for address in configuration.lateAddresses {
                group.addTask { try await self.serveLate(listener, address: address, port: bound) }
            }
            self.logger.info("API server ready", metadata: ["address": "\(configuration.address):\(bound)"])
            self.settle(.ready(port: bound))
            try await group.next()
            group.cancelAll()
        }
    }

    /// Waits for an address to appear on this machine, and serves on it again if it vanishes and comes back.
    private func serveLate(_ listener: HTTPListener, address: String, port: Int) async throws {
        var lastFault = ""
        while true {
            do {
                let server = try await listener.bind(address: address, port: port)
                self.logger.info("API server listens", metadata: ["address": "\(address):\(port)"])
                lastFault = ""
                try await listener.serve(server)
            } catch let error as APIServerError {
                if error.message != lastFault {
                    self.logger.debug("address is not there yet", metadata: ["error": "\(error)"])
                }
                lastFault = error.message
            }
            try await Task.sleep(for: Self.bindRetryInterval)
        }
    }

    private static func tlsContext(_ pki: ClusterPKI) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(pki.servingCertificatePEM.utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(pki.servingKeyPEM.utf8), format: .pem))
        )
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pki.caPEM.utf8)))
        // Clients with a certificate must have one of ours; others send a token.
        tls.certificateVerification = .optionalVerification
        tls.sendCANameList = true
        return try NIOSSLContext(configuration: tls)
    }
}
