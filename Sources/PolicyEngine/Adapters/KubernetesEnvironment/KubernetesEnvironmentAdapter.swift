internal import KubernetesAPI
internal import MeshModel
internal import Synchronization

/// Finds out who source and destination are: their pods, by name or else by address.
///
/// It takes no settings; `kubeconfig_path`, `cache_refresh_duration` and `cluster_registries_namespace` are read over,
/// since pods come through the engine's own connection and are followed, not asked for.
final class KubernetesEnvironmentAdapter: PolicyHandler {
    static let kind = AdapterKind("kubernetesenv", templates: ["kubernetes"]) { settings, context in
        for name in ["kubeconfig_path", "cluster_registries_namespace"] { _ = settings.text(name) }
        _ = settings.duration("cache_refresh_duration")
        return KubernetesEnvironmentAdapter(context.environment.follow)
    }

    private struct State {
        var directory = PodDirectory()
        var isKnown = false
    }

    private let follow: AdapterEnvironment.Follow?
    private let state = Mutex(State())

    init(_ follow: AdapterEnvironment.Follow?) { self.follow = follow }

    /// Follows the pods of all namespaces until the task is cancelled.
    func run() async {
        await self.follow?(.pods) { change in
            self.state.withLock {
                $0.directory.apply(change)
                $0.isKnown = true
            }
        }
    }

    func attributes(_ instance: InstanceData) async throws -> [String: AttributeValue] {
        guard self.follow != nil else {
            throw PolicyStatus(.unavailable, "there is no cluster to read pods from; is --kubeconfig missing?")
        }
        func entry(_ side: String, _ state: State) -> PodDirectory.Entry? {
            var address: IPAddress?
            if case .ipAddress(let value)? = instance.values["\(side)_ip"] { address = value }
            return state.directory.entry(uid: instance.text("\(side)_uid"), address: address)
        }
        let (source, destination) = try self.state.withLock { state in
            guard state.isKnown else { throw PolicyStatus(.unavailable, "the pods have not been read yet") }
            return (entry("source", state), entry("destination", state))
        }
        var output: [String: AttributeValue] = [:]
        if let source { Self.describe(source, as: "source", in: &output) }
        if let destination {
            Self.describe(destination, as: "destination", in: &output)
            if case .int64(let port)? = instance.values["destination_port"], let name = destination.containers[port] {
                output["destination_container_name"] = .string(name)
            }
        }
        return output
    }

    private static func describe(
        _ pod: PodDirectory.Entry,
        as side: String,
        in output: inout [String: AttributeValue]
    ) {
        output["\(side)_pod_uid"] = .string(pod.uid)
        output["\(side)_pod_name"] = .string(pod.key.name)
        output["\(side)_namespace"] = .string(pod.key.namespace ?? "default")
        output["\(side)_labels"] = .stringMap(pod.labels)
        output["\(side)_service_account_name"] = .string(pod.serviceAccount)
        output["\(side)_owner"] = .string(pod.workload.owner)
        output["\(side)_workload_uid"] = .string(pod.workload.uid)
        output["\(side)_workload_name"] = .string(pod.workload.name)
        output["\(side)_workload_namespace"] = .string(pod.workload.namespace)
        output["\(side)_pod_ip"] = pod.address.map(AttributeValue.address)
        output["\(side)_host_ip"] = pod.hostAddress.map(AttributeValue.address)
    }
}
