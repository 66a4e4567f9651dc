import DNSProxy
import KubernetesAPI
import Logging
import MeshModel
import NIOCore

/// The DNS of the cluster: Services and outside hosts by table, all else from outside hosts that are name servers and
/// from the servers of this machine.
final class ClusterDNS: Reconciler {
    let name = "cluster-dns"
    let types: Set<ResourceType> = [.services, .endpointSlices, .endpoints]

    private let mirror: Mirror
    private let network: PlatformNetwork
    private let outside: [String: IPAddress]
    /// Name servers among the outside hosts.
    private let servers: [IPAddress]
    private let forwarder: DNSForwarder
    private let server: DNSServer
    private let logger: Logger

    init(
        mirror: Mirror,
        network: PlatformNetwork,
        outside: [String: IPAddress],
        servers: [IPAddress],
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.mirror = mirror
        self.network = network
        self.outside = servers.isEmpty ? outside : outside.filter { !servers.contains($0.value) }
        self.servers = servers
        self.logger = logger
        let resolver = ResolvConfWatch.read("/etc/resolv.conf") ?? ResolvConf()
        self.forwarder = DNSForwarder(
            eventLoop: eventLoop,
            upstreams: Self.upstreams(resolver, after: servers, without: Self.own(network))
        )
        self.server = DNSServer(
            options: DNSServer.Options(addresses: [Self.address(network)], port: 53, connectionsMax: 512),
            table: .notReady(clusterDomain: PlatformNetwork.clusterDomain),
            forwarder: self.forwarder,
            logger: logger
        )
    }

    /// An outside name server is asked first; what it refuses goes to the servers of this machine.
    private static func upstreams(
        _ resolver: ResolvConf,
        after servers: [IPAddress],
        without own: Set<DNSUpstream>
    ) -> DNSUpstreams {
        var upstreams = DNSUpstreams(resolver, without: own)
        upstreams.servers = servers.map { DNSUpstream(address: $0) } + upstreams.servers
        return upstreams
    }

    private static func address(_ network: PlatformNetwork) -> IPAddress { IPAddress(network.gateway) ?? .v4(0) }

    private static func own(_ network: PlatformNetwork) -> Set<DNSUpstream> {
        [DNSUpstream(address: self.address(network))]
    }

    func start() async throws {
        do {
            try await self.server.start()
        } catch {
            throw PlatformError(
                "\(error): the cluster's DNS needs port 53 of \(self.network.gateway); stop the DNS server that "
                    + "listens on all addresses (`ss -lunp 'sport = :53'` names it) or bind it to its own address"
            )
        }
    }

    /// Follows the machine's `resolv.conf` until the task is cancelled.
    func followUpstreams() async {
        // The list would be replaced as a whole; a name server of one's own is for guides and checks.
        guard self.servers.isEmpty else { return }
        let own = Self.own(self.network)
        await ResolvConfWatch {
            await self.forwarder.follow($0, without: own, isParallel: false, logger: self.logger)
        }.run()
    }

    func reconcile() async -> Duration? {
        let names = ClusterNames(
            services: self.mirror.objects(.services),
            slices: self.mirror.objects(.endpointSlices),
            endpoints: self.mirror.objects(.endpoints),
            outside: self.outside
        )
        await self.server.update(names.table)
        return nil
    }

    func stop() async {
        await self.server.stop()
        await self.forwarder.stop()
    }

    /// The objects that give the DNS its address, `kube-system/kube-dns`.
    static func objects(_ network: PlatformNetwork) -> [(ResourceType, KubernetesObject)] {
        var service = KubernetesObject(.services, namespace: "kube-system", name: "kube-dns")
        service.labels = ["k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"]
        let ports: [JSONValue] = [
            ["name": "dns", "port": 53, "protocol": "UDP"], ["name": "dns-tcp", "port": 53, "protocol": "TCP"],
        ]
        service.spec = ["clusterIP": .string(network.clusterDNS), "ports": .array(ports)]
        var slice = KubernetesObject(.endpointSlices, namespace: "kube-system", name: "kube-dns-lateen")
        slice.labels = [EndpointSlice.serviceNameLabel: "kube-dns", EndpointPlan.managedByLabel: "lateen"]
        slice.json["addressType"] = "IPv4"
        slice.json["ports"] = .array(ports)
        slice.json["endpoints"] = [
            ["addresses": [.string(network.gateway)], "conditions": ["ready": true, "serving": true]]
        ]
        return [(.services, service), (.endpointSlices, slice)]
    }
}
