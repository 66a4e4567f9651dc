import DNSProxy
import KubernetesAPI
import Logging
import MeshModel
import NIOCore

/// The DNS of the cluster: Services and outside hosts by table, all else from the servers of this machine.
final class ClusterDNS: Reconciler {
    let name = "cluster-dns"
    let types: Set<ResourceType> = [.services, .endpointSlices, .endpoints]

    private let mirror: Mirror
    private let outside: [String: IPAddress]
    private let forwarder: DNSForwarder
    private let server: DNSServer
    private let logger: Logger

    init(mirror: Mirror, outside: [String: IPAddress], eventLoop: any EventLoop, logger: Logger) {
        self.mirror = mirror
        self.outside = outside
        self.logger = logger
        let resolver = ResolvConfWatch.read("/etc/resolv.conf") ?? ResolvConf()
        self.forwarder = DNSForwarder(eventLoop: eventLoop, upstreams: DNSUpstreams(resolver, without: Self.own))
        self.server = DNSServer(
            options: DNSServer.Options(addresses: [Self.address], port: 53, connectionsMax: 512),
            table: .notReady(clusterDomain: PlatformNetwork.clusterDomain),
            forwarder: self.forwarder,
            logger: logger
        )
    }

    private static var address: IPAddress { IPAddress(PlatformNetwork.gateway) ?? .v4(0) }
    private static var own: Set<DNSUpstream> { [DNSUpstream(address: Self.address)] }

    func start() async throws {
        do {
            try await self.server.start()
        } catch {
            throw PlatformError(
                "\(error): the cluster's DNS needs port 53 of \(PlatformNetwork.gateway); stop the DNS server that "
                    + "listens on all addresses (`ss -lunp 'sport = :53'` names it) or bind it to its own address"
            )
        }
    }

    /// Follows the machine's `resolv.conf` until the task is cancelled.
    func followUpstreams() async {
        await ResolvConfWatch(own: Self.own, forwarder: self.forwarder, logger: self.logger).run()
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
    static var objects: [(ResourceType, KubernetesObject)] {
        var service = KubernetesObject(.services, namespace: "kube-system", name: "kube-dns")
        service.labels = ["k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"]
        let ports: [JSONValue] = [
            ["name": "dns", "port": 53, "protocol": "UDP"], ["name": "dns-tcp", "port": 53, "protocol": "TCP"],
        ]
        service.spec = ["clusterIP": .string(PlatformNetwork.clusterDNS), "ports": .array(ports)]
        var slice = KubernetesObject(.endpointSlices, namespace: "kube-system", name: "kube-dns-lateen")
        slice.labels = [EndpointSlice.serviceNameLabel: "kube-dns", EndpointPlan.managedByLabel: "lateen"]
        slice.json["addressType"] = "IPv4"
        slice.json["ports"] = .array(ports)
        slice.json["endpoints"] = [
            ["addresses": [.string(PlatformNetwork.gateway)], "conditions": ["ready": true, "serving": true]]
        ]
        return [(.services, service), (.endpointSlices, slice)]
    }
}
