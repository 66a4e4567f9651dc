import KubernetesAPI
package import MeshModel

/// Makes snapshots from objects: pure, and equal for equal objects whatever the order in which they came.
package enum SnapshotBuilder {
    /// A snapshot from scratch: `objects` are those of our cluster, `remotes` other clusters of the mesh.
    package static func build(
        _ objects: MeshObjects,
        remotes: [RemoteCluster] = [],
        revision: UInt64
    ) -> MeshSnapshot {
        var snapshot = MeshSnapshot(revision: revision, settings: objects.settings)
        snapshot.settings.virtualAddresses = objects.virtualAddresses
        snapshot.addressClaims = objects.serviceEntries.values.compactMap(\.value?.claim)
            .sorted { ($0.createdAt, $0.entry) < ($1.createdAt, $1.entry) }
        let join = EndpointJoin(objects: objects)
        let merge = ServiceMerge(objects, remotes: remotes, join: join)
        let own = self.services(objects)
        let services = own + merge.services(besides: own)
        var given = GivenAddresses(snapshot.addressClaims, services: services, ranges: objects.virtualAddresses)
        snapshot.services = given.added(to: services)
        snapshot.network = objects.network
        snapshot.networkGateways = merge.gateways
        for service in services where service.isKubernetes {
            snapshot.endpoints[ServiceKey(service)] = merge.endpoints(of: ServiceKey(service))
        }
        for (key, facts) in objects.services {
            guard let facts = facts.value else { continue }
            snapshot.instances[ServiceKey(facts.service)] = join.instances(of: facts, key: key)
        }
        for entry in objects.serviceEntries.values.compactMap(\.value) {
            for service in entry.services {
                snapshot.endpoints[ServiceKey(service)] = join.endpoints(of: service, in: entry)
            }
        }
        let names = ServiceNames(services: snapshot.services, domain: objects.domainSuffix)
        let written = objects.virtualServices.values.compactMap(\.value).map(names.qualified)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        let delegates = DelegateJoin(written)
        snapshot.routeRules = delegates.rules
        snapshot.destinationPolicies = objects.destinationRules.values.compactMap(\.value).map(names.qualified)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        snapshot.workloads = join.workloads()
        snapshot.nodeWorkloads = join.nodeWorkloads()
        snapshot.gateways = objects.gateways.values.compactMap(\.value)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        snapshot.sidecars = objects.sidecars.values.compactMap(\.value)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        let quotas = QuotaJoin(objects)
        snapshot.quotas = quotas.bindings
        let interfaces = APIJoin(objects)
        snapshot.interfaces = interfaces.bindings
        let legacy = self.addPolicies(objects, to: &snapshot)
        for key in Array(snapshot.endpoints.keys) { self.unmarkPlainPorts(of: key, in: &snapshot) }
        let credentials = Credentials(objects: objects, workloads: snapshot.workloads.values)
        let secrets = credentials.found()
        snapshot.credentials = secrets.credentials
        snapshot.resourceVersions = objects.resourceVersions
        // Rules as their objects have them, so that what is wrong is found there.
        var asWritten = snapshot
        asWritten.routeRules = written
        let checks = CrossChecks(snapshot: asWritten)
        let gateways = GatewayChecks(snapshot: snapshot, credentials: credentials)
        snapshot.diagnoses = Self.sorted(
            objects.diagnoses + objects.endpointDiagnoses + legacy + secrets.diagnoses + checks.diagnoses()
                + gateways.diagnoses() + SidecarChecks(snapshot: snapshot).diagnoses()
                + merge.diagnoses(gateways: snapshot.networkGateways) + quotas.diagnoses
                + interfaces.diagnoses + delegates.diagnoses
        )
        return snapshot
    }

    /// Adds what says who may come in; services and endpoints are there already.
    private static func addPolicies(_ objects: MeshObjects, to snapshot: inout MeshSnapshot) -> [Diagnosis] {
        let legacy = LegacyPolicies(objects, snapshot: snapshot)
        snapshot.peerPolicies = (objects.peerAuthentications.values.compactMap(\.value) + legacy.peers)
            .sorted { Self.isBefore($0, $1) }
        snapshot.requestAuthentications =
            (objects.requestAuthentications.values.compactMap(\.value) + legacy.requests)
            .sorted { Self.isBefore($0, $1) }
        snapshot.authorizationRules = objects.authorizationPolicies.values.compactMap(\.value)
            .sorted { Self.isBefore(($0.createdAt, $0.source), ($1.createdAt, $1.source)) }
        return legacy.diagnoses
    }

    /// An endpoint whose port takes plain text only (PeerAuthentication `DISABLE`) is one without an identity for those
    /// who dial it: they would send a handshake that nobody reads.
    private static func unmarkPlainPorts(of key: ServiceKey, in snapshot: inout MeshSnapshot) {
        let policies = snapshot.peerPolicies
        guard policies.contains(where: { $0.mode == .disable || $0.ports.values.contains(.disable) }),
            let endpoints = snapshot.endpoints[key]
        else { return }
        snapshot.endpoints[key] = endpoints.map { endpoint in
            // What other clusters' policies say shows in the labels of their pods, if at all.
            guard endpoint.hasMeshIdentity, endpoint.cluster.isEmpty else { return endpoint }
            let modes = PeerModes(
                policies,
                namespace: endpoint.workload?.namespace ?? key.source.id.namespace,
                labels: endpoint.labels,
                root: snapshot.settings.rootNamespace
            )
            var endpoint = endpoint
            endpoint.hasMeshIdentity = modes.mode(of: endpoint.port) != .disable
            return endpoint
        }
    }

    /// The snapshot after a change of the objects, from the one before it; equal to one from scratch.
    package static func rebuild(
        _ snapshot: MeshSnapshot,
        after change: MeshChange,
        of objects: MeshObjects,
        remotes: [RemoteCluster] = [],
        revision: UInt64
    ) -> MeshSnapshot {
        switch change {
        case .full: return self.build(objects, remotes: remotes, revision: revision)
        case .nothing:
            var snapshot = snapshot
            snapshot.revision = revision
            return snapshot
        case .endpoints(let keys):
            var snapshot = snapshot
            snapshot.revision = revision
            let join = EndpointJoin(objects: objects)
            let merge = ServiceMerge(objects, remotes: remotes, join: join)
            if merge.isTaken(anyOf: snapshot.services) {
                return self.build(objects, remotes: remotes, revision: revision)
            }
            for key in keys {
                snapshot.endpoints[key] = merge.endpoints(of: key)
                snapshot.instances[key] = join.instances(of: key)
                self.unmarkPlainPorts(of: key, in: &snapshot)
            }
            snapshot.workloads = join.workloads()
            snapshot.nodeWorkloads = join.nodeWorkloads()
            let found = objects.endpointDiagnoses
            let kinds = [MeshKind.endpointSlice.rawValue, MeshKind.pod.rawValue]
            let others = snapshot.diagnoses.filter { !kinds.contains($0.object.kind) }
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

    /// One old policy may become several, which differ in their selectors.
    private static func isBefore(_ left: PeerPolicy, _ right: PeerPolicy) -> Bool {
        if left.source == right.source { return Self.isBefore(left.selector, right.selector) }
        return Self.isBefore((left.createdAt, left.source), (right.createdAt, right.source))
    }

    private static func isBefore(_ left: RequestAuthenticationRules, _ right: RequestAuthenticationRules) -> Bool {
        if left.source == right.source { return Self.isBefore(left.selector, right.selector) }
        return Self.isBefore((left.createdAt, left.source), (right.createdAt, right.source))
    }

    private static func isBefore(_ left: [String: String], _ right: [String: String]) -> Bool {
        left.sorted { $0 < $1 }.lexicographicallyPrecedes(right.sorted { $0 < $1 }) { $0 < $1 }
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
