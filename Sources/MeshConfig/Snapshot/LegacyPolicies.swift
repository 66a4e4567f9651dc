import MeshModel

/// Says what Policies and MeshPolicies of Istio 1.0 mean in today's words.
///
/// They name services; policies of today select workloads. So a target becomes the selector of its service, and a port
/// of the service the ports that its endpoints listen on.
struct LegacyPolicies {
    private let snapshot: MeshSnapshot
    private let policies: [LegacyPolicyFacts]
    private(set) var peers: [PeerPolicy] = []
    private(set) var requests: [RequestAuthenticationRules] = []
    private(set) var diagnoses: [Diagnosis] = []

    /// `snapshot` has settings, services and endpoints already.
    init(_ objects: MeshObjects, snapshot: MeshSnapshot) {
        self.snapshot = snapshot
        self.policies = (objects.policies.values.compactMap(\.value) + objects.meshPolicies.values.compactMap(\.value))
            .sorted { ($0.source.id, $0.source.kind) < ($1.source.id, $1.source.kind) }
        for policy in self.policies { self.add(policy) }
    }

    private mutating func add(_ policy: LegacyPolicyFacts) {
        var source = policy.source
        // An object without a namespace is one of the namespace whose objects hold for the mesh.
        if source.id.namespace.isEmpty { source.id.namespace = self.snapshot.settings.rootNamespace }
        var findings = Findings(policy.source)
        if policy.targets.isEmpty {
            if policy.source.kind == MeshKind.policy.rawValue,
                source.id.namespace == self.snapshot.settings.rootNamespace
            {
                findings.warning("metadata.namespace", "is the root namespace: the policy holds for the whole mesh")
            }
            self.peers.append(PeerPolicy(source: source, createdAt: policy.createdAt, mode: policy.mode))
            self.addRequests(policy, source, selector: [:])
        }
        for (index, target) in policy.targets.enumerated() {
            self.add(target, of: policy, source, "spec.targets[\(index)]", &findings)
        }
        self.diagnoses += findings.diagnoses
    }

    private mutating func add(
        _ target: LegacyPolicyFacts.Target,
        of policy: LegacyPolicyFacts,
        _ source: ObjectReference,
        _ field: String,
        _ findings: inout Findings
    ) {
        let id = ObjectID(namespace: policy.source.id.namespace, name: target.name)
        guard let service = self.snapshot.services.first(where: { $0.isKubernetes && $0.source.id == id }) else {
            findings.warning("\(field).name", "there is no Service \(id)")
            return
        }
        guard !service.selector.isEmpty else {
            findings.warning("\(field).name", "Service \(id) selects no workloads")
            return
        }
        var peer = PeerPolicy(
            source: source,
            createdAt: policy.createdAt,
            selector: service.selector,
            isLegacy: true
        )
        if target.ports.isEmpty {
            peer.mode = policy.mode
        } else {
            let endpoints = self.snapshot.endpoints[ServiceKey(service)] ?? []
            for (index, wanted) in target.ports.enumerated() {
                guard let port = service.ports.first(where: { Self.isSame($0, wanted) }) else {
                    findings.warning("\(field).ports[\(index)]", "Service \(id) has no such port")
                    continue
                }
                for endpoint in endpoints where endpoint.servicePortName == port.name {
                    peer.ports[endpoint.port] = policy.mode
                }
            }
        }
        self.peers.append(peer)
        self.addRequests(policy, source, selector: service.selector)
    }

    private mutating func addRequests(
        _ policy: LegacyPolicyFacts,
        _ source: ObjectReference,
        selector: [String: String]
    ) {
        if policy.issuers.isEmpty { return }
        self.requests.append(
            RequestAuthenticationRules(
                source: source,
                createdAt: policy.createdAt,
                selector: selector,
                issuers: policy.issuers,
                isRequired: policy.isOriginRequired
            )
        )
    }

    private static func isSame(_ port: ServicePort, _ wanted: LegacyPolicyFacts.Target.ServicePort) -> Bool {
        switch wanted {
        case .number(let number): port.port == number
        case .name(let name): port.name == name
        }
    }
}
