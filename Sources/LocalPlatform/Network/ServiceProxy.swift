import KubernetesAPI
import Logging
import Synchronization

/// Keeps the host's rules and the node ports as Services and NetworkPolicies say.
final class ServiceProxy: Reconciler {
    let name = "service-proxy"
    let types: Set<ResourceType> = [.services, .endpointSlices, .endpoints, .networkPolicies, .pods, .namespaces]

    private let mirror: Mirror
    private let network: PlatformNetwork
    private let nodePorts: NodePortForwarder
    private let logger: Logger
    private let applied = Mutex<ServiceRules?>(nil)

    init(mirror: Mirror, network: PlatformNetwork, nodePorts: NodePortForwarder, logger: Logger) {
        self.mirror = mirror
        self.network = network
        self.nodePorts = nodePorts
        self.logger = logger
    }

    func reconcile() async -> Duration? {
        let table = ServiceTable(
            services: self.mirror.objects(.services),
            slices: self.mirror.objects(.endpointSlices),
            endpoints: self.mirror.objects(.endpoints)
        )
        await self.nodePorts.update(table.nodePorts)
        let policies = PolicyTable(
            policies: self.mirror.objects(.networkPolicies),
            pods: self.mirror.objects(.pods),
            namespaces: self.mirror.objects(.namespaces),
            slices: self.mirror.objects(.endpointSlices)
        )
        let rules = ServiceRules(routes: table.routes, policies: policies.rules, network: self.network)
        let before = self.applied.withLock { $0 }
        guard rules != before else { return nil }
        func chains(_ rules: ServiceRules?) -> Set<String> {
            Set((rules?.routes ?? []).filter { !$0.backends.isEmpty }.map(ServiceRules.chain))
        }
        do {
            try await HostRules.apply(rules, stale: chains(before).subtracting(chains(rules)))
            self.applied.withLock { $0 = rules }
            self.logger.debug("service rules applied", metadata: ["ports": "\(rules.routes.count)"])
            return nil
        } catch {
            self.logger.error("service rules not applied, trying again", metadata: ["error": "\(error)"])
            return .seconds(1)
        }
    }
}
