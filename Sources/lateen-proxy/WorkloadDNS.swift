import DNSProxy
import DNSWire
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import ProxyRuntime
import TrafficEngine

/// DNS beside a workload: names of the mesh from the control plane's table, all else from the pod's servers.
struct WorkloadDNS: Sendable {
    let recentNames: RecentNames
    /// Addresses of names under wildcards.
    let minted: MintedNames
    let server: DNSServer
    /// Where the workload's `resolv.conf` is.
    let resolvConf: String
    /// The workload's search domains now.
    private let search: Shared<[DNSName]>
    private let forwarder: DNSForwarder
    private let resolver: HostResolver
    private let names: WorkloadNames
    /// Whether the servers are those of `resolvConf`, and no others were named.
    private let followsServers: Bool
    private let isParallel: Bool
    /// Addresses of our own servers, which are never asked.
    private let own: Set<DNSUpstream>
    private let clusterDomain: String
    private let logger: Logger

    /// How long names outside of the cluster wait for the first table: long enough for a control plane that answers,
    /// short enough for workloads to start without one.
    private static let patience: Duration = .seconds(5)

    /// - Throws: if the settings cannot be used.
    init(
        workload: WorkloadEnvironment,
        resolvConf path: String,
        settings: DNSSettings,
        listening: DNSServer.Options? = nil,
        eventLoop: any EventLoop,
        logger: Logger
    ) throws {
        let file = ResolvConfWatch.read(path) ?? ResolvConf()
        self.resolvConf = path
        // Both families are captured, and answered where interception leads them to.
        let listening = listening ?? DNSServer.Options(addresses: LoopbackAddresses.usable())
        let own = Set(listening.addresses.map { DNSUpstream(address: $0, port: listening.port) })
        let (upstreams, secure) = try settings.forwarder(file.forUpstream(ResolvConfWatch.read), without: own)
        var options = Resolver.Options()
        // The workload's connections are led through the proxy, which knows nothing of HTTP/3 and hidden names.
        options.bindings = .filtered
        self.forwarder = DNSForwarder(eventLoop: eventLoop, upstreams: upstreams, options: options, secure: secure)
        self.resolver = HostResolver(forwarder: self.forwarder)
        self.recentNames = RecentNames()
        self.minted = MintedNames(search: file.search.map(\.description), ttl: workload.nameTTL)
        self.search = Shared(file.search)
        self.names = WorkloadNames(
            viewpoint: DNSViewpoint(
                clusterDomain: workload.clusterDomain,
                namespace: workload.namespace,
                search: file.search.map(\.description),
                ttl: workload.nameTTL
            )
        )
        self.server = DNSServer(
            options: listening,
            // Any name may be one of the mesh: of a ServiceEntry, or under a wildcard.
            table: .notReady(clusterDomain: "."),
            forwarder: self.forwarder,
            recentNames: self.recentNames,
            queryLog: settings.logsQueries ? DNSQueryLog.lines(to: logger) : nil,
            minted: self.minted,
            logger: logger
        )
        self.followsServers = settings.upstreams.isEmpty
        self.isParallel = settings.isParallel
        self.own = own
        self.clusterDomain = workload.clusterDomain
        self.logger = logger
    }

    func start() async throws { try await self.server.start() }

    /// Follows changes of the workload's `resolv.conf` until it is cancelled.
    func run() async {
        async let waiting: Void = self.stopWaiting()
        await self.followFile()
        await waiting
    }

    /// A client that was told somebody else's address of a name of the mesh would keep it: so names wait at first.
    private func stopWaiting() async {
        do { try await Task.sleep(for: Self.patience) } catch { return }
        guard self.server.stopWaiting(below: self.clusterDomain) else { return }
        self.logger.warning(
            "no names from the control plane yet; those outside the cluster are asked elsewhere",
            metadata: ["waited": "\(Self.patience.components.seconds) s"]
        )
    }

    private func followFile() async {
        await ResolvConfWatch(path: self.resolvConf) { file in
            if self.followsServers {
                await self.forwarder.follow(
                    file,
                    without: self.own,
                    isParallel: self.isParallel,
                    logger: self.logger
                )
            }
            await self.use(search: file.search)
        }.run()
    }

    private func use(search: [DNSName]) async {
        guard search != self.search.value else { return }
        self.search.value = search
        let texts = search.map(\.description)
        self.minted.use(search: texts)
        await self.names.use(search: texts, for: self.server)
        self.logger.info("dns search domains changed", metadata: ["domains": "\(texts)"])
    }

    /// Who is asked for names outside the mesh.
    func servers() async -> [DNSUpstream] { await self.forwarder.servers() }

    func stop() async {
        await self.server.stop()
        await self.forwarder.stop()
    }

    func update(_ update: NameTableUpdate) async { await self.names.apply(update, to: self.server) }

    /// Names are given addresses that listeners lead on, and no others.
    func use(_ wildcards: MintedWildcards) {
        self.server.use(
            wildcards: wildcards.names,
            v4: wildcards.blocks.first { $0.network.bitCount == 32 },
            v6: wildcards.blocks.first { $0.network.bitCount == 128 }
        )
    }

    /// Addresses of a name of a DNS cluster; empty: none or no answer.
    func addresses(of name: String) async -> ResolvedName {
        let found = await self.resolver.addresses(of: name)
        return ResolvedName(addresses: preferringIPv4(found.addresses), ttl: found.ttl, isDenied: found.isDenied)
    }

    /// By which names the workload was given an address, also those that it may have shortened.
    func namesGiven(_ address: IPAddress, grace: Duration) -> [String] {
        let search = self.search.value
        return self.recentNames.given(address, grace: grace, now: .now).flatMap { $0.texts(search: search) }
    }

    func statistics() async -> [Statistic] {
        let minted = self.minted.counts
        return DNSNumbers.all(await self.server.statistics()) + [
            Statistic("dns.minted_names", .gauge, minted.names),
            Statistic("dns.minted_connections", .gauge, minted.connections),
            Statistic("dns.minted_refused_total", .counter, Int(clamping: minted.refused)),
        ]
    }
}
