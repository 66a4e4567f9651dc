import DNSProxy
import DNSWire
import Logging
import MeshModel
import MeshSubscribe
import NIOCore
import ProxyRuntime

/// DNS beside a workload: names of the mesh from the control plane's table, all else from the pod's servers.
struct SidecarDNS: Sendable {
    let recentNames: RecentNames
    private let server: DNSServer
    private let forwarder: DNSForwarder
    private let watch: ResolvConfWatch
    private let viewpoint: DNSViewpoint

    init(workload: WorkloadEnvironment, resolvConf path: String, eventLoop: any EventLoop, logger: Logger) {
        let file = ResolvConfWatch.read(path) ?? ResolvConf()
        let own: Set<DNSUpstream> = [DNSUpstream(address: .v4(0x7f00_0001), port: MeshPorts.dns)]
        self.forwarder = DNSForwarder(eventLoop: eventLoop, upstreams: DNSUpstreams(file, without: own))
        self.recentNames = RecentNames()
        self.viewpoint = DNSViewpoint(
            clusterDomain: workload.clusterDomain,
            namespace: workload.namespace,
            search: file.search.map(\.description)
        )
        self.server = DNSServer(
            table: .notReady(clusterDomain: workload.clusterDomain),
            forwarder: self.forwarder,
            recentNames: self.recentNames,
            logger: logger
        )
        self.watch = ResolvConfWatch(path: path, own: own, forwarder: self.forwarder, logger: logger)
    }

    func start() async throws { try await self.server.start() }

    /// Follows changes of the servers until it is cancelled.
    func run() async { await self.watch.run() }

    func stop() async {
        await self.server.stop()
        await self.forwarder.stop()
    }

    func update(_ entries: [NameTableEntry]) async {
        let hosts = entries.map { entry in
            DNSHost(
                name: entry.name,
                addresses: entry.addresses,
                registry: entry.registry == "Kubernetes"
                    ? .kubernetes(name: entry.shortName, namespace: entry.namespace) : .external
            )
        }
        await self.server.update(DNSTable(hosts: hosts, viewpoint: self.viewpoint))
    }

    /// Addresses of a name of a DNS cluster; empty: none or no answer.
    func addresses(of name: String) async -> [IPAddress] {
        // A name that has no address and one that nobody answered for are the same to a cluster.
        guard let found = try? await self.forwarder.addresses(of: name) else { return [] }
        return preferringIPv4(found.addresses)
    }

    func statistics() async -> [Statistic] {
        let counts = await self.server.statistics()
        return [
            Statistic("dns.requests_total", .counter, Int(clamping: counts.requests)),
            Statistic("dns.answered_locally_total", .counter, Int(clamping: counts.answeredLocally)),
            Statistic("dns.malformed_total", .counter, Int(clamping: counts.malformed)),
            Statistic("dns.upstream_requests_total", .counter, Int(clamping: counts.upstreamRequests)),
            Statistic("dns.upstream_failures_total", .counter, Int(clamping: counts.upstreamFailures)),
            Statistic("dns.overloaded_total", .counter, Int(clamping: counts.overloaded)),
        ]
    }
}
