internal import MeshModel
internal import NIOCore
internal import NIOSSL
internal import TrafficEngine

/// Makes the library's contexts out of settings, secrets and files; off the loops.
///
/// A context is expensive and depends on keys, roots and versions alone, so many clusters share one; it is made anew
/// when the content behind it has changed. Connections keep the one that they began with.
struct TLSContexts {
    /// What a context of the library depends on.
    private struct Key: Hashable {
        var isServer: Bool
        /// Numbers of contents.
        var certificates: [Int]
        var roots: Roots
        var verification: Verification
        var applicationProtocols: [String]
        var versionMin: MeshModel.TLSVersion
        var versionMax: MeshModel.TLSVersion
        var cipherSuites: [String]
    }

    private enum Roots: Hashable { case none, system, content(Int) }
    private enum Verification: Hashable { case none, optional, required }

    private var contexts: [Key: Result<NIOSSLContext, TLSFault>] = [:]
    /// Contexts that the table which is being made needs; others go.
    private var used: Set<Key> = []
    /// Numbers of contents that are in use, so that keys are small; what is not used is not kept, keys least of all.
    private var contents: [TLSCredential: Int] = [:]
    private var contentsUsed: Set<Int> = []
    private var sources = TLSSources(secrets: [:])

    /// Files that the current table was made of.
    var files: [String: FileStamp] { self.sources.stamps }

    /// The table of a state. What somebody should know of comes along, by listener or cluster.
    mutating func table(for state: ProxyState, after previous: TLSTable) -> (TLSTable, [String: TLSFault]) {
        self.sources = TLSSources(secrets: state.secrets)
        self.used = []
        self.contentsUsed = []
        var faults: [String: TLSFault] = [:]
        var chains: [ObjectIdentifier: TLSTable.Chain] = [:]
        for listener in state.listeners {
            for chain in listener.chains + [listener.defaultChain].compactMap({ $0 }) {
                guard let settings = chain.tls else { continue }
                let server = self.server(settings)
                if case .failure(let fault) = server {
                    faults["listener \(listener.name): filter chain \(chain.name)"] = fault
                }
                chains[ObjectIdentifier(chain)] = TLSTable.Chain(chain: chain, server: server)
            }
        }
        let clusters = state.clusters.map { cluster -> TLSTable.Transports? in
            guard let cluster, cluster.transports.contains(where: { $0 != nil }) else { return nil }
            let clients = cluster.transports.map { settings -> TLSTable.Client? in
                guard let settings else { return nil }
                let client = self.client(settings)
                if case .failure(let fault) = client {
                    faults["cluster \(cluster.name)"] = fault
                }
                return client
            }
            return TLSTable.Transports(cluster: cluster, clients: clients)
        }
        let used = self.used
        self.contexts = self.contexts.filter { used.contains($0.key) }
        let contentsUsed = self.contentsUsed
        self.contents = self.contents.filter { contentsUsed.contains($0.value) }
        let table = TLSTable(
            number: previous.number + 1,
            chains: chains,
            earlier: previous.chains,
            clusters: clusters
        )
        return (table, faults)
    }

    // MARK: Servers

    private mutating func server(_ settings: ServerTLS) -> TLSTable.Server {
        do throws(TLSFault) { return .success(try self.serverContext(settings)) } catch { return .failure(error) }
    }

    private mutating func serverContext(_ settings: ServerTLS) throws(TLSFault) -> ServerTLSContext {
        guard !settings.certificates.isEmpty else {
            throw TLSFault(reason: .downstreamTLSFailed, message: "no certificate is configured")
        }
        var credentials: [SourcedCredential] = []
        for source in settings.certificates {
            credentials.append(try self.sources.credential(source, reason: .downstreamTLSFailed))
        }
        var key = Key(
            isServer: true,
            certificates: credentials.map { self.number($0.credential) },
            roots: .none,
            verification: .none,
            applicationProtocols: settings.applicationProtocols,
            versionMin: settings.versionMin,
            versionMax: settings.versionMax,
            cipherSuites: settings.cipherSuites
        )
        if settings.requiresClientCertificate, settings.validation == nil {
            throw TLSFault(
                reason: .downstreamTLSFailed,
                message: "a client certificate is required, and nothing says how to check it"
            )
        }
        var check: PeerCheck?
        var roots: SourcedRoots?
        if let validation = settings.validation {
            let found = try self.sources.roots(validation, reason: .downstreamTLSFailed)
            roots = found
            key.roots = self.roots(found)
            key.verification =
                found.roots == .unchecked ? .none : settings.requiresClientCertificate ? .required : .optional
            check = try PeerCheck(validation, revoked: found.revoked)
            if found.roots == .unchecked {
                throw TLSFault(
                    reason: .downstreamTLSFailed,
                    message: "client certificates can only be checked against roots, and none are configured"
                )
            }
        }
        let context = try self.context(key, .downstreamTLSFailed) { () throws(TLSFault) in
            try ContextMaker.server(settings, credentials: credentials, roots: roots)
        }
        return ServerTLSContext(
            context: context,
            check: check,
            requiresCertificate: settings.requiresClientCertificate,
            localURIs: credentials.first?.uris ?? []
        )
    }

    // MARK: Clients

    private mutating func client(_ settings: ClientTLS) -> TLSTable.Client {
        do throws(TLSFault) { return .success(try self.clientContext(settings)) } catch { return .failure(error) }
    }

    private mutating func clientContext(_ settings: ClientTLS) throws(TLSFault) -> ClientTLSContext {
        var credential: SourcedCredential?
        if let source = settings.certificate {
            credential = try self.sources.credential(source, reason: .upstreamTLSFailed)
        }
        let roots = try self.sources.roots(settings.validation, reason: .upstreamTLSFailed)
        let check = try PeerCheck(settings.validation, revoked: roots.revoked)
        let key = Key(
            isServer: false,
            certificates: credential.map { [self.number($0.credential)] } ?? [],
            roots: self.roots(roots),
            verification: roots.roots == .unchecked ? .none : .required,
            applicationProtocols: settings.applicationProtocols,
            versionMin: settings.versionMin,
            versionMax: settings.versionMax,
            cipherSuites: settings.cipherSuites
        )
        let context = try self.context(key, .upstreamTLSFailed) { () throws(TLSFault) in
            try ContextMaker.client(settings, credential: credential, roots: roots)
        }
        return ClientTLSContext(
            context: context,
            check: check,
            serverName: settings.serverName.flatMap { $0.isEmpty ? nil : $0 },
            usesHostAsServerName: settings.usesHostAsServerName
        )
    }

    private mutating func context(
        _ key: Key,
        _ reason: EndReason,
        _ make: () throws(TLSFault) -> NIOSSLContext
    ) throws(TLSFault) -> NIOSSLContext {
        self.used.insert(key)
        if let context = self.contexts[key] { return try context.get() }
        let made: Result<NIOSSLContext, TLSFault>
        do throws(TLSFault) { made = .success(try make()) } catch { made = .failure(error) }
        self.contexts[key] = made
        return try made.get()
    }

    private mutating func roots(_ roots: SourcedRoots) -> Roots {
        switch roots.roots {
        case .unchecked: .none
        case .system: .system
        case .pem(let pem): .content(self.number(TLSCredential(roots: pem)))
        }
    }

    private mutating func number(_ credential: TLSCredential) -> Int {
        let known = self.contents[credential]
        let number = known ?? self.numberNext
        if known == nil {
            self.numberNext += 1
            self.contents[credential] = number
        }
        self.contentsUsed.insert(number)
        return number
    }

    private var numberNext = 0
}
