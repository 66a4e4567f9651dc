import KubernetesAPI
package import MeshModel

/// Makes snapshots from objects: pure, and equal for equal objects whatever the order in which they came.
package enum SnapshotBuilder {
    /// A snapshot from scratch.
    package static func build(_ objects: MeshObjects, revision: UInt64) -> MeshSnapshot {
        var snapshot = MeshSnapshot(revision: revision, settings: objects.settings)
        snapshot.services = self.services(objects)
        let join = EndpointJoin(objects: objects)
        for (key, facts) in objects.services {
            guard let facts = facts.value else { continue }
            snapshot.endpoints[ServiceKey(facts.service)] = join.endpoints(of: facts, key: key)
        }
        for entry in objects.serviceEntries.values.compactMap(\.value) {
            for service in entry.services {
                snapshot.endpoints[ServiceKey(service)] = join.endpoints(of: service, in: entry)
            }
        }
        let names = ServiceNames(services: snapshot.services, domain: objects.domainSuffix)
        snapshot.routeRules = objects.virtualServices.values.compactMap(\.value).map(names.qualified)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        snapshot.destinationPolicies = objects.destinationRules.values.compactMap(\.value).map(names.qualified)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        snapshot.workloads = join.workloads()
        let checks = CrossChecks(snapshot: snapshot)
        snapshot.diagnoses = Self.sorted(objects.diagnoses + objects.endpointDiagnoses + checks.diagnoses())
        return snapshot
    }

    /// The snapshot after a change of the objects, from the one before it; equal to one from scratch.
    package static func rebuild(
        _ snapshot: MeshSnapshot,
        after change: MeshChange,
        of objects: MeshObjects,
        revision: UInt64
    ) -> MeshSnapshot {
        switch change {
        case .full: return self.build(objects, revision: revision)
        case .nothing:
            var snapshot = snapshot
            snapshot.revision = revision
            return snapshot
        case .endpoints(let keys):
            var snapshot = snapshot
            snapshot.revision = revision
            let join = EndpointJoin(objects: objects)
            for key in keys { snapshot.endpoints[key] = join.endpoints(of: key) }
            snapshot.workloads = join.workloads()
            let found = objects.endpointDiagnoses
            let others = snapshot.diagnoses.filter { $0.object.kind != MeshKind.endpointSlice.rawValue }
            if !found.isEmpty || others.count != snapshot.diagnoses.count {
                snapshot.diagnoses = Self.sorted(others + found)
            }
            return snapshot
        }
    }

    /// Oldest first; hosts of one entry keep their order.
    private static func services(_ objects: MeshObjects) -> [MeshModel.Service] {
        let groups =
            objects.services.values.compactMap(\.value).map { [$0.service] }
            + objects.serviceEntries.values.compactMap(\.value).map(\.services)
        return groups.filter { !$0.isEmpty }
            .sorted { Self.isBefore(($0[0].createdAt, $0[0].source), ($1[0].createdAt, $1[0].source)) }
            .flatMap { $0 }
    }

    private static func isBefore(_ left: (Int64, ObjectReference), _ right: (Int64, ObjectReference)) -> Bool {
        (left.0, left.1.id, left.1.kind) < (right.0, right.1.id, right.1.kind)
    }

    private static func sorted(_ diagnoses: [Diagnosis]) -> [Diagnosis] {
        diagnoses.sorted {
            ($0.object.kind, $0.object.id, $0.field, $0.message) < ($1.object.kind, $1.object.id, $1.field, $1.message)
        }
    }
}
