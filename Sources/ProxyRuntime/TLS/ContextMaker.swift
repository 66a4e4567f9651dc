internal import MeshModel
internal import NIOCore
internal import NIOSSL
internal import TrafficEngine

/// The TLS library's contexts out of settings and PEM. Faults name the source, never what is in a key.
enum ContextMaker {
    /// A peer that does not answer our close in time is not waited for: what matters has been sent.
    private static let shutdownTimeout = TimeAmount.seconds(1)

    static func server(
        _ settings: ServerTLS,
        credentials: [SourcedCredential],
        roots: SourcedRoots?
    ) throws(TLSFault) -> NIOSSLContext {
        var parsed: [Parsed] = []
        for credential in credentials { parsed.append(try Self.parse(credential)) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: parsed[0].chain.map { .certificate($0) },
            privateKey: .privateKey(parsed[0].key)
        )
        Self.set(&configuration, settings.versionMin, settings.versionMax, settings.cipherSuites)
        configuration.applicationProtocols = settings.applicationProtocols
        if let roots {
            configuration.certificateVerification =
                settings.requiresClientCertificate ? .noHostnameVerification : .optionalVerification
            configuration.trustRoots = try Self.trustRoots(roots, reason: .downstreamTLSFailed)
        }
        if parsed.count > 1 { configuration.sslContextCallback = Self.chooser(parsed) }
        return try Self.context(configuration, credentials[0].source, .downstreamTLSFailed)
    }

    static func client(
        _ settings: ClientTLS,
        credential: SourcedCredential?,
        roots: SourcedRoots
    ) throws(TLSFault) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        Self.set(&configuration, settings.versionMin, settings.versionMax, settings.cipherSuites)
        configuration.applicationProtocols = settings.applicationProtocols
        if let credential {
            let parsed = try Self.parse(credential)
            configuration.certificateChain = parsed.chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(parsed.key)
        }
        // Names are checked by `PeerCheck`, which knows all kinds of them.
        configuration.certificateVerification = roots.roots == .unchecked ? .none : .noHostnameVerification
        configuration.trustRoots = try Self.trustRoots(roots, reason: .upstreamTLSFailed)
        return try Self.context(configuration, credential?.source ?? roots.source, .upstreamTLSFailed)
    }

    private static func context(
        _ configuration: TLSConfiguration,
        _ source: String,
        _ reason: EndReason
    ) throws(TLSFault) -> NIOSSLContext {
        do { return try NIOSSLContext(configuration: configuration) } catch {
            let message = "\(source): certificate, key and settings do not go together: \(error)"
            throw TLSFault(reason: reason, message: message)
        }
    }

    private static func set(
        _ configuration: inout TLSConfiguration,
        _ versionMin: MeshModel.TLSVersion,
        _ versionMax: MeshModel.TLSVersion,
        _ cipherSuites: [String]
    ) {
        configuration.minimumTLSVersion = Self.version(versionMin)
        configuration.maximumTLSVersion = Self.version(versionMax)
        if !cipherSuites.isEmpty { configuration.cipherSuites = cipherSuites.joined(separator: ":") }
        configuration.shutdownTimeout = Self.shutdownTimeout
        configuration.renegotiationSupport = .none
    }

    private static func version(_ version: MeshModel.TLSVersion) -> NIOSSL.TLSVersion {
        switch version {
        case .v1_0: .tlsv1
        case .v1_1: .tlsv11
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }

    private static func trustRoots(_ roots: SourcedRoots, reason: EndReason) throws(TLSFault) -> NIOSSLTrustRoots? {
        switch roots.roots {
        case .unchecked: return nil
        case .system: return .default
        case .pem(let pem):
            let certificates: [NIOSSLCertificate]
            do { certificates = try NIOSSLCertificate.fromPEMBytes(pem) } catch {
                throw TLSFault(reason: reason, message: "\(roots.source): the roots are no PEM certificates")
            }
            guard !certificates.isEmpty else {
                throw TLSFault(reason: reason, message: "\(roots.source): there are no certificates in the roots")
            }
            return .certificates(certificates)
        }
    }

    // MARK: Certificates

    private struct Parsed: Sendable {
        var chain: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey
        var names: [String]
    }

    private static func parse(_ credential: SourcedCredential) throws(TLSFault) -> Parsed {
        func fault(_ text: String) -> TLSFault {
            TLSFault(reason: credential.reason, message: "\(credential.source): \(text)")
        }
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(credential.credential.certificateChain) } catch {
            throw fault("the certificate chain is no PEM")
        }
        guard let leaf = chain.first else { throw fault("there is no certificate in the chain") }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(bytes: credential.credential.privateKey, format: .pem) } catch {
            throw fault("the private key cannot be read; it must be unencrypted PEM")
        }
        return Parsed(chain: chain, key: key, names: CertificateNames(leaf).dns)
    }

    /// Chooses among several certificates by the name that the client asks for.
    private static func chooser(_ parsed: [Parsed]) -> NIOSSLContextCallback {
        { values, promise in
            var override = NIOSSLContextConfigurationOverride.noChanges
            if let host = values.serverHostname,
                let index = parsed.firstIndex(where: { $0.names.contains { DNSIdentity.matches($0, host) } }),
                index > 0
            {
                override.certificateChain = parsed[index].chain.map { .certificate($0) }
                override.privateKey = .privateKey(parsed[index].key)
            }
            promise.succeed(override)
        }
    }
}
