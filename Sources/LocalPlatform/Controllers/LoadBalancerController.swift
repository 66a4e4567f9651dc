import KubernetesAPI
import Logging

/// Gives Services of type LoadBalancer an address that clients outside of the cluster reach them by.
final class LoadBalancerController: Reconciler {
    let name = "load-balancers"
    let types: Set<ResourceType> = [.services]

    private let client: KubernetesClient
    private let mirror: Mirror
    private let network: PlatformNetwork
    private let logger: Logger

    init(client: KubernetesClient, mirror: Mirror, network: PlatformNetwork, logger: Logger) {
        self.client = client
        self.mirror = mirror
        self.network = network
        self.logger = logger
    }

    func reconcile() async -> Duration? {
        let plan = LoadBalancerPlan(services: self.mirror.objects(.services), range: self.network.loadBalancerRange)
        var hasFailed = false
        for (service, address) in plan.changes {
            do {
                var status: JSONValue = ["loadBalancer": .null]
                if let address { status["loadBalancer"] = ["ingress": [["ip": .string(address)]]] }
                let written = try await self.client.patch(
                    .services,
                    namespace: service.namespace,
                    name: service.name,
                    subresource: "status",
                    .merge(["status": status])
                )
                self.mirror.wrote(written, of: .services)
            } catch {
                hasFailed = true
                self.logger.debug(
                    "address of a load balancer not written",
                    metadata: ["service": "\(service.key)", "error": "\(error)"]
                )
            }
        }
        if !plan.unserved.isEmpty {
            self.logger.warning(
                "no address is left for load balancers",
                metadata: ["range": "\(self.network.loadBalancerRange)", "services": "\(plan.unserved)"]
            )
        }
        return hasFailed ? .milliseconds(500) : nil
    }
}
