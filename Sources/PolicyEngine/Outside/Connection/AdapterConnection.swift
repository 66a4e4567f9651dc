internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import MeshModel
internal import NIOPosix

/// How an adapter outside is reached: the `connection` of a handler (`istio.policy.v1beta1.Connection`).
///
/// - `address`: where it listens. `timeout` (default `2s`, up to `60s`): of one call.
/// - `authentication.tls`: `ca_certificates` (a file; default: those of the system), `server_name` (default: the
///   address's host), `token_path` with `auth_header` (PLAIN, BEARER) or `custom_header`.
/// - `authentication.mutual`: `private_key`, `client_certificate` (files), `ca_certificates`, `server_name`.
struct AdapterConnection: Sendable, Hashable {
    struct TLS: Sendable, Hashable {
        var roots: String?
        var certificate: String?
        var key: String?
        var serverName: String?
    }

    struct Token: Sendable, Hashable {
        var path: String
        var header: String
        var prefix: String
    }

    private enum AuthHeader: String, CaseIterable {
        case plain = "PLAIN"
        case bearer = "BEARER"
    }

    /// A bundle of all authorities that there are has a fifth of it.
    private static let certificateBytesMax = 1 << 20
    private static let tokenBytesMax = 64 << 10

    let address: AdapterAddress
    let timeout: Duration
    private let tls: TLS?
    private let token: Token?

    /// `nil` without an address; what is wrong is told to `settings`.
    init?(_ settings: SettingsReader) {
        let text = settings.text("address") ?? ""
        let address = AdapterAddress(text)
        if address == nil {
            settings.complain(
                "address",
                text.isEmpty ? "is missing: where the adapter listens, HOST:PORT" : "\(text) is no HOST:PORT"
            )
        }
        self.timeout = settings.duration("timeout") ?? .seconds(2)
        if self.timeout <= .zero || self.timeout > .seconds(60) {
            settings.complain("timeout", "must be more than 0 and not more than 60s")
        }
        let authentication = settings.object("authentication")
        let tls = authentication?.object("tls")
        self.tls = authentication.flatMap { Self.tls($0, tls, address) }
        self.token = tls.flatMap(Self.token)
        guard let address else { return nil }
        self.address = address
    }

    private static func tls(
        _ settings: SettingsReader,
        _ tls: SettingsReader?,
        _ address: AdapterAddress?
    ) -> TLS? {
        let mutual = settings.object("mutual")
        var result = TLS()
        if let tls { result = TLS(roots: tls.text("ca_certificates"), serverName: tls.text("server_name")) }
        if let mutual {
            result = TLS(
                roots: mutual.text("ca_certificates"),
                certificate: mutual.text("client_certificate"),
                key: mutual.text("private_key"),
                serverName: mutual.text("server_name")
            )
            if result.certificate == nil { mutual.complain("client_certificate", "is missing: a file") }
            if result.key == nil { mutual.complain("private_key", "is missing: a file") }
        }
        guard let reader = mutual ?? tls, tls == nil || mutual == nil else {
            // Whoever asks for security must not go without because of a word that is missing.
            settings.complain("tls", "and `mutual`: one of them is needed")
            return nil
        }
        guard result.serverName == nil, let address else { return result }
        switch address {
        case .host(let host, _): result.serverName = host
        case .ip, .socket:
            reader.complain("server_name", "is missing: \(address) is not a name that a certificate has")
        }
        return result
    }

    private static func token(_ tls: SettingsReader) -> Token? {
        if tls.value("oauth") != nil {
            tls.complain("oauth", "is not supported; token_path names a file with a token")
        }
        let header = tls.word("auth_header", AuthHeader.self)
        let custom = tls.text("custom_header")
        guard let path = tls.text("token_path") else { return nil }
        return Token(
            path: path,
            header: custom?.lowercased() ?? "authorization",
            prefix: custom == nil && header == .bearer ? "Bearer " : ""
        )
    }

    /// A new transport. Files are read now, on a thread that may wait for them; what is wrong with them is thrown.
    func transport() async throws -> HTTP2ClientTransport.Posix {
        try await NIOThreadPool.singleton.runIfActive { try self.transportWithFiles() }
    }

    private func transportWithFiles() throws -> HTTP2ClientTransport.Posix {
        func file(_ path: String) throws -> [UInt8] {
            try RegularFile.bytes(at: path, bytesMax: Self.certificateBytesMax)
        }
        let security: HTTP2ClientTransport.Posix.TransportSecurity
        if let tls {
            let roots = try tls.roots.map(file)
            let certificate = try tls.certificate.map(file)
            let key = try tls.key.map(file)
            security = .tls {
                if let roots { $0.trustRoots = .certificates([.bytes(roots, format: .pem)]) }
                guard let certificate, let key else { return }
                $0.certificateChain = [.bytes(certificate, format: .pem)]
                $0.privateKey = .bytes(key, format: .pem)
            }
        } else {
            security = .plaintext
        }
        let config = HTTP2ClientTransport.Posix.Config.defaults {
            $0.http2.authority = self.tls?.serverName
            $0.backoff = .init(initial: .milliseconds(100), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
            // While calls wait for an adapter that vanished without a word; a connection at rest is left alone.
            $0.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
        }
        switch self.address {
        case .ip(let address, let port):
            guard address.bitCount == 32 else {
                return try .init(
                    target: .ipv6(address: "\(address)", port: port),
                    transportSecurity: security,
                    config: config
                )
            }
            return try .init(
                target: .ipv4(address: "\(address)", port: port),
                transportSecurity: security,
                config: config
            )
        case .host(let host, let port):
            return try .init(
                target: .dns(host: host, port: port),
                transportSecurity: security,
                config: config,
                // Pods of one adapter take turns.
                serviceConfig: ServiceConfig(loadBalancingConfig: [.roundRobin])
            )
        case .socket(let path):
            return try .init(
                target: .unixDomainSocket(path: path, authority: "localhost"),
                transportSecurity: security,
                config: config
            )
        }
    }

    /// What goes along with each call. The token's file may change at any time, so it is read for each.
    func metadata() async throws -> Metadata {
        guard let token else { return [:] }
        let bytes = try await NIOThreadPool.singleton.runIfActive {
            try RegularFile.bytes(at: token.path, bytesMax: Self.tokenBytesMax)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let start = text.drop { $0.isWhitespace }
        let trimmed = String(start.reversed().drop { $0.isWhitespace }.reversed())
        return [token.header: .string(token.prefix + trimmed)]
    }
}
