import KubernetesAPI
import Logging

/// Writes the endpoints of Services that have a selector.
final class EndpointController: Reconciler {
    let name = "endpoints"
    let types: Set<ResourceType> = [.services, .pods, .endpointSlices, .endpoints]

    private let client: KubernetesClient
    private let mirror: Mirror
    private let logger: Logger

    init(client: KubernetesClient, mirror: Mirror, logger: Logger) {
        self.client = client
        self.mirror = mirror
        self.logger = logger
    }

    func reconcile() async -> Duration? {
        let pods = self.mirror.objects(.pods)
        var stale = Dictionary(
            self.mirror.objects(.endpointSlices)
                .filter { $0.labels[EndpointPlan.managedByLabel] == EndpointPlan.manager }.map { ($0.key, $0) },
            uniquingKeysWith: { $1 }
        )
        var hasFailed = false
        for service in self.mirror.objects(.services) where !service.isBeingDeleted {
            guard !(service.spec["selector"]?.stringMap ?? [:]).isEmpty,
                service.spec["type"]?.string != "ExternalName"
            else { continue }
            let plan = EndpointPlan(service: service, pods: pods)
            for slice in plan.slices {
                stale[slice.key] = nil
                if await !self.write(.endpointSlices, slice, fields: ["endpoints", "ports"]) { hasFailed = true }
            }
            if await !self.write(.endpoints, plan.endpoints, fields: ["subsets"]) { hasFailed = true }
        }
        for slice in stale.values where !slice.isBeingDeleted {
            try? await self.client.delete(.endpointSlices, namespace: slice.namespace, name: slice.name)
        }
        return hasFailed ? .milliseconds(500) : nil
    }

    /// Writes an object if it differs from what is there in these fields or in its labels.
    private func write(_ type: ResourceType, _ wanted: KubernetesObject, fields: [String]) async -> Bool {
        do {
            guard let present = self.mirror.object(type, namespace: wanted.namespace, name: wanted.name) else {
                self.mirror.wrote(try await self.client.create(type, wanted), of: type)
                return true
            }
            let isSame = fields.allSatisfy { Self.equal(present.json[$0], wanted.json[$0]) }
            guard !isSame || present.labels != wanted.labels else { return true }
            var changed = present
            for field in fields { changed.json[field] = wanted.json[field] }
            changed.labels = wanted.labels
            self.mirror.wrote(try await self.client.replace(type, changed), of: type)
            return true
        } catch {
            self.logger.debug("endpoints not written", metadata: ["object": "\(wanted.key)", "error": "\(error)"])
            return false
        }
    }

    /// An absent list and an empty one are the same to the API.
    private static func equal(_ one: JSONValue?, _ other: JSONValue?) -> Bool {
        func plain(_ value: JSONValue?) -> JSONValue { value == .array([]) ? .null : value ?? .null }
        return plain(one) == plain(other)
    }
}
