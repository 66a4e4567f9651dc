import Foundation
import Logging
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// Two proxies on loopback with TLS between them: an application's bytes enter `client` in plain, leave `server` in
/// plain, and reach a `RawServer`.
struct ProxyPair {
    let server: ProxyRuntime
    let client: ProxyRuntime
    /// Where applications connect.
    let port: UInt16
    /// Where the server's proxy takes TLS.
    let securePort: UInt16
    private let serverState: ProxyState
    private let clientState: ProxyState
    private let logs: (server: String, client: String)

    /// What the two ends do; the parts that a test is about are changed.
    struct Setup {
        var serverTLS: ServerTLS
        var clientTLS: ClientTLS
        var serverSecrets: [String: TLSSecret]
        var clientSecrets: [String: TLSSecret]
        var speaksHTTP = false
        /// In the place of the usual one.
        var serverTerminal: FilterChain.Terminal?
        var clientTerminal: FilterChain.Terminal?
        var serverOptions = ProxyRuntimeOptions()
        /// Leads to the application, in the place of the usual one.
        var serverCluster: Cluster?
        /// What must hold of a connection for TLS to be taken off.
        var match = FilterChainMatch()
        /// The way of other connections.
        var otherChain: FilterChain?
        var inspects = true
        var inspectionTimeout: Duration?

        /// Mutual TLS as sidecars do it: one root, any identity of `cluster.local`.
        static func mesh(_ pki: TestPKI) throws -> Setup {
            try Setup(
                pki: pki,
                server: pki.issue(uris: [TestPKI.backend]),
                client: pki.issue(uris: [TestPKI.frontend])
            )
        }

        init(pki: TestPKI, server: TLSCredential, client: TLSCredential) throws {
            let roots = TLSSecret.validation(roots: try pki.rootPEM, revocationList: [])
            let domain = PeerValidation.Name(kind: .uri, match: .prefix("spiffe://cluster.local/"))
            let validation = PeerValidation(roots: .secret(TLSSecret.meshRoots), names: [domain])
            self.serverTLS = ServerTLS(
                certificates: [.secret(TLSSecret.ownCertificate)],
                validation: validation,
                requiresClientCertificate: true,
                applicationProtocols: ["istio"]
            )
            self.clientTLS = ClientTLS(
                certificate: .secret(TLSSecret.ownCertificate),
                validation: validation,
                serverName: "outbound_.80_._.backend.shop.svc.cluster.local",
                applicationProtocols: ["istio"]
            )
            self.serverSecrets = [TLSSecret.ownCertificate: .certificate(server), TLSSecret.meshRoots: roots]
            self.clientSecrets = [TLSSecret.ownCertificate: .certificate(client), TLSSecret.meshRoots: roots]
        }
    }

    private static let format =
        "%RESPONSE_FLAGS%|%UPSTREAM_TRANSPORT_FAILURE_REASON%|%CONNECTION_TERMINATION_DETAILS%|"
        + "%DOWNSTREAM_PEER_URI_SAN%|%DOWNSTREAM_LOCAL_URI_SAN%|%DOWNSTREAM_TLS_VERSION%|%REQUESTED_SERVER_NAME%|"
        + "%DOWNSTREAM_PEER_SUBJECT%\n"

    /// Runs `body` with both proxies and stops them.
    static func run(
        _ setup: Setup,
        endpoint: RawServer,
        serverClusters: [Cluster] = [],
        serverName: Bool = false,
        _ body: (ProxyPair) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let logs = (server: folder.path + "/server", client: folder.path + "/client")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = ProxyRuntime(options: setup.serverOptions, logger: logger)
        let client = ProxyRuntime(options: ProxyRuntimeOptions(), logger: logger)
        try await server.start()
        try await client.start()
        let secure = FilterChain(
            name: "secure",
            match: setup.match,
            tls: setup.serverTLS,
            terminal: setup.serverTerminal ?? Self.terminal(setup.speaksHTTP, log: logs.server)
        )
        let inbound = Listener(
            name: "inbound",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [secure],
            defaultChain: setup.otherChain,
            inspectsTLS: setup.inspects,
            inspectionTimeout: setup.inspectionTimeout
        )
        let serverState = ProxyState(
            revision: 1,
            listeners: [inbound],
            clusters: [setup.serverCluster ?? .test(ports: endpoint.port)] + serverClusters,
            secrets: setup.serverSecrets
        )
        _ = await server.apply(serverState)
        let securePort = try #require(server.boundAddresses()["inbound"]?.port)
        let outbound = Listener(
            name: "outbound",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [
                FilterChain(
                    name: "plain",
                    terminal: setup.clientTerminal ?? Self.terminal(setup.speaksHTTP, log: logs.client)
                )
            ]
        )
        let address = NetworkAddress(ip: TestProxy.loopback, port: securePort)
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints([ClusterEndpoint(address: address)]),
            transports: [setup.clientTLS]
        )
        let clientState = ProxyState(
            revision: 1,
            listeners: [outbound],
            clusters: [cluster],
            secrets: setup.clientSecrets
        )
        _ = await client.apply(clientState)
        let port = try #require(client.boundAddresses()["outbound"]?.port)
        let pair = ProxyPair(
            server: server,
            client: client,
            port: port,
            securePort: securePort,
            serverState: serverState,
            clientState: clientState,
            logs: logs
        )
        let result: Result<Void, any Error>
        do { result = .success(try await body(pair)) } catch { result = .failure(error) }
        await client.stop()
        await server.stop()
        try FileManager.default.removeItem(at: folder)
        try result.get()
    }

    private static func terminal(_ speaksHTTP: Bool, log: String) -> FilterChain.Terminal {
        let logs = [AccessLogConfiguration(path: log, format: Self.format)]
        return speaksHTTP ? .http(accessLogs: logs) : .tcp(accessLogs: logs)
    }

    /// Gives the server's proxy other secrets.
    func rotateServer(_ secrets: [String: TLSSecret]) async {
        var state = self.serverState
        state.secrets = secrets
        _ = await self.server.apply(state)
    }

    func rotateClient(_ secrets: [String: TLSSecret]) async {
        var state = self.clientState
        state.secrets = secrets
        _ = await self.client.apply(state)
    }

    /// Lets the client's proxy connect to another port.
    func useServer(port: UInt16, tls: ClientTLS) async {
        var state = self.clientState
        let address = NetworkAddress(ip: TestProxy.loopback, port: port)
        state.clusters = [
            Cluster(
                id: ClusterID(index: 0),
                name: "endpoint",
                discovery: .endpoints([ClusterEndpoint(address: address)]),
                transports: [tls]
            )
        ]
        _ = await self.client.apply(state)
    }

    func connect() async throws -> RawConnection { try await RawConnection.connect(port: self.port) }

    enum Side { case server, client }

    func statistics(
        _ side: Side,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (ProxyStatistics) -> Bool
    ) async -> ProxyStatistics {
        let runtime = side == .server ? self.server : self.client
        let proxy = TestProxy(runtime: runtime, port: 0)
        return await proxy.waitForStatistics(sourceLocation: sourceLocation, condition)
    }

    /// The first line of an access log that has `part` in it; what never comes is an issue.
    func logLine(
        _ side: Side,
        with part: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let path = side == .server ? self.logs.server : self.logs.client
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            // The file may not be there before the first line.
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            if let line = text.split(separator: "\n").first(where: { $0.contains(part) }) { return String(line) }
            await Task.yield()
        }
        Issue.record("no line with \(part) in the \(side) log", sourceLocation: sourceLocation)
        return ""
    }
}
