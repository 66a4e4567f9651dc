package import KubernetesAPI
package import MeshModel

/// The current objects that the mesh is made from, each already read into the mesh's own words.
///
/// An object is parsed when it arrives and not again, so that building a snapshot after one change costs little. An
/// object that says nothing new, or that arrives a second time, changes nothing.
package struct MeshObjects: Sendable {
    /// The end of all names of Kubernetes services.
    package let domainSuffix: String
    /// Where the mesh settings are.
    package let rootNamespace: String
    /// Where addresses for hosts without one come from.
    package let virtualAddresses: VirtualAddressRanges

    private(set) var services: [ObjectKey: Parsed<ServiceFacts>] = [:]
    private(set) var slices: [ObjectKey: Parsed<SliceFacts>] = [:]
    private(set) var pods: [ObjectKey: Parsed<PodFacts>] = [:]
    /// Where nodes are.
    private(set) var nodes: [ObjectKey: Parsed<Locality>] = [:]
    private var rootObject: Parsed<String>?
    private(set) var serviceEntries: [ObjectKey: Parsed<EntryFacts>] = [:]
    private(set) var workloadEntries: [ObjectKey: Parsed<MachineFacts>] = [:]
    private(set) var workloadGroups: [ObjectKey: Parsed<GroupFacts>] = [:]
    private(set) var virtualServices: [ObjectKey: Parsed<RouteRules>] = [:]
    private(set) var destinationRules: [ObjectKey: Parsed<DestinationPolicy>] = [:]
    private(set) var gateways: [ObjectKey: Parsed<GatewayRules>] = [:]
    private(set) var sidecars: [ObjectKey: Parsed<SidecarRules>] = [:]
    private(set) var peerAuthentications: [ObjectKey: Parsed<PeerPolicy>] = [:]
    private(set) var requestAuthentications: [ObjectKey: Parsed<RequestAuthenticationRules>] = [:]
    private(set) var authorizationPolicies: [ObjectKey: Parsed<AuthorizationRules>] = [:]
    private(set) var policies: [ObjectKey: Parsed<LegacyPolicyFacts>] = [:]
    private(set) var meshPolicies: [ObjectKey: Parsed<LegacyPolicyFacts>] = [:]
    private(set) var quotaSpecs: [ObjectKey: Parsed<QuotaSpecFacts>] = [:]
    private(set) var quotaBindings: [ObjectKey: Parsed<QuotaBindingFacts>] = [:]
    private(set) var apiSpecs: [ObjectKey: Parsed<APISpec>] = [:]
    private(set) var apiBindings: [ObjectKey: Parsed<APIBindingFacts>] = [:]
    /// All that hold certificates; a snapshot takes those that a rule names.
    private(set) var secrets: [ObjectKey: Parsed<TLSCredential>] = [:]
    /// Names of Secrets in rules, in any namespace; `nil` until somebody asks after a change.
    private var credentialNames: Set<String>?
    /// The last settings that could be read.
    private(set) var settings: MeshSettings
    private var settingsObject: Parsed<MeshSettings>?
    private(set) var index = EndpointIndex()

    package init(
        domainSuffix: String = "cluster.local",
        rootNamespace: String = "istio-system",
        virtualAddresses: VirtualAddressRanges = VirtualAddressRanges()
    ) {
        self.domainSuffix = domainSuffix
        self.rootNamespace = rootNamespace
        self.virtualAddresses = virtualAddresses
        self.settings = MeshSettings()
        self.settings.domainSuffix = domainSuffix
    }

    /// Takes over a change of the objects of one kind.
    ///
    /// - Returns: How much of a snapshot must be built again.
    package mutating func apply(_ kind: MeshKind, _ change: ObjectChange) -> MeshChange {
        switch change {
        case .added(let object), .modified(let object): return self.put(kind, object)
        case .deleted(let object): return self.remove(kind, object.key)
        case .replacedAll(let objects):
            let kept = Set(objects.map(\.key))
            var result = MeshChange.nothing
            for key in self.keys(of: kind) where !kept.contains(key) {
                result = result.merged(with: self.remove(kind, key))
            }
            for object in objects { result = result.merged(with: self.put(kind, object)) }
            return result
        }
    }

    /// Diagnoses of single objects, apart from those about endpoints.
    var diagnoses: [Diagnosis] {
        (self.settingsObject?.diagnoses ?? []) + self.services.values.flatMap(\.diagnoses)
            + self.workloadEntries.values.flatMap(\.diagnoses) + self.workloadGroups.values.flatMap(\.diagnoses)
            + self.serviceEntries.values.flatMap(\.diagnoses) + self.virtualServices.values.flatMap(\.diagnoses)
            + self.destinationRules.values.flatMap(\.diagnoses) + self.gateways.values.flatMap(\.diagnoses)
            + self.sidecars.values.flatMap(\.diagnoses) + self.peerAuthentications.values.flatMap(\.diagnoses)
            + self.requestAuthentications.values.flatMap(\.diagnoses)
            + self.authorizationPolicies.values.flatMap(\.diagnoses) + self.policies.values.flatMap(\.diagnoses)
            + self.meshPolicies.values.flatMap(\.diagnoses) + self.quotaSpecs.values.flatMap(\.diagnoses)
            + self.quotaBindings.values.flatMap(\.diagnoses) + self.apiSpecs.values.flatMap(\.diagnoses)
            + self.apiBindings.values.flatMap(\.diagnoses)
    }

    var endpointDiagnoses: [Diagnosis] {
        self.slices.values.flatMap(\.diagnoses) + self.pods.values.flatMap(\.diagnoses)
    }

    // MARK: One object

    private mutating func put(_ kind: MeshKind, _ object: KubernetesObject) -> MeshChange {
        let key = object.key
        switch kind {
        case .service:
            let old = self.services[key]?.value?.service.activation
            let change = Self.put(object, in: &self.services) { ServiceParser.parse($0, domain: self.domainSuffix) }
            self.index.replace(service: key, old: old, new: self.services[key]?.value?.service.activation)
            return change
        case .serviceEntry:
            return Self.put(object, in: &self.serviceEntries) { ServiceEntryParser.parse($0) }
        case .workloadEntry:
            if self.workloadEntries[key]?.isCurrent(for: object) == true { return .nothing }
            return self.setMachine(key, WorkloadEntryParser.parse(object))
        case .workloadGroup:
            return Self.put(object, in: &self.workloadGroups) { WorkloadGroupParser.parse($0) }
        case .virtualService:
            return Self.put(object, in: &self.virtualServices) {
                VirtualServiceParser.parse($0, domain: self.domainSuffix)
            }
        case .destinationRule:
            self.credentialNames = nil
            return Self.put(object, in: &self.destinationRules) {
                DestinationRuleParser.parse($0, domain: self.domainSuffix)
            }
        case .gateway:
            self.credentialNames = nil
            return Self.put(object, in: &self.gateways) { GatewayParser.parse($0) }
        case .sidecar:
            return Self.put(object, in: &self.sidecars, keepsLastGood: true) { SidecarParser.parse($0) }
        case .peerAuthentication:
            return Self.put(object, in: &self.peerAuthentications, keepsLastGood: true) {
                PeerAuthenticationParser.parse($0)
            }
        case .requestAuthentication:
            return Self.put(object, in: &self.requestAuthentications, keepsLastGood: true) {
                RequestAuthenticationParser.parse($0)
            }
        case .authorizationPolicy:
            return Self.put(object, in: &self.authorizationPolicies, keepsLastGood: true) {
                AuthorizationPolicyParser.parse($0)
            }
        case .policy:
            return Self.put(object, in: &self.policies, keepsLastGood: true) {
                LegacyPolicyParser.parse($0, kind: .policy)
            }
        case .meshPolicy:
            return Self.put(object, in: &self.meshPolicies, keepsLastGood: true) {
                LegacyPolicyParser.parse($0, kind: .meshPolicy)
            }
        case .quotaSpec:
            return Self.put(object, in: &self.quotaSpecs, keepsLastGood: true) { QuotaParser.parse(spec: $0) }
        case .quotaSpecBinding:
            return Self.put(object, in: &self.quotaBindings, keepsLastGood: true) {
                QuotaParser.parse(binding: $0, domain: self.domainSuffix)
            }
        case .apiSpec:
            return Self.put(object, in: &self.apiSpecs, keepsLastGood: true) { APISpecParser.parse(spec: $0) }
        case .apiSpecBinding:
            return Self.put(object, in: &self.apiBindings, keepsLastGood: true) {
                APISpecParser.parse(binding: $0, domain: self.domainSuffix)
            }
        case .secret:
            let change = Self.put(object, in: &self.secrets) { SecretParser.parse($0) }
            return self.isNamed(key) ? change : .nothing
        case .endpointSlice:
            if self.slices[key]?.isCurrent(for: object) == true { return .nothing }
            return self.setSlice(key, EndpointParser.parse(slice: object))
        case .pod:
            if self.pods[key]?.isCurrent(for: object) == true { return .nothing }
            return self.setPod(key, EndpointParser.parse(pod: object))
        case .node:
            return Self.put(object, in: &self.nodes) { Parsed($0, value: Topology.locality($0.labels)) }
        case .namespace:
            guard key.name == self.rootNamespace else { return .nothing }
            return self.setRoot(Parsed(object, value: Topology.network(object.labels)))
        case .configMap:
            guard self.holdsSettings(key) else { return .nothing }
            return self.setSettings(MeshSettingsParser.parse(object, domain: self.domainSuffix))
        }
    }

    private mutating func remove(_ kind: MeshKind, _ key: ObjectKey) -> MeshChange {
        switch kind {
        case .service:
            guard let old = self.services.removeValue(forKey: key) else { return .nothing }
            self.index.replace(service: key, old: old.value?.service.activation, new: nil)
            return .full
        case .serviceEntry: return self.serviceEntries.removeValue(forKey: key) == nil ? .nothing : .full
        case .workloadEntry: return self.setMachine(key, nil)
        case .workloadGroup: return self.workloadGroups.removeValue(forKey: key) == nil ? .nothing : .full
        case .virtualService: return self.virtualServices.removeValue(forKey: key) == nil ? .nothing : .full
        case .destinationRule:
            self.credentialNames = nil
            return self.destinationRules.removeValue(forKey: key) == nil ? .nothing : .full
        case .gateway:
            self.credentialNames = nil
            return self.gateways.removeValue(forKey: key) == nil ? .nothing : .full
        case .sidecar: return self.sidecars.removeValue(forKey: key) == nil ? .nothing : .full
        case .peerAuthentication: return self.peerAuthentications.removeValue(forKey: key) == nil ? .nothing : .full
        case .requestAuthentication:
            return self.requestAuthentications.removeValue(forKey: key) == nil ? .nothing : .full
        case .authorizationPolicy:
            return self.authorizationPolicies.removeValue(forKey: key) == nil ? .nothing : .full
        case .policy: return self.policies.removeValue(forKey: key) == nil ? .nothing : .full
        case .meshPolicy: return self.meshPolicies.removeValue(forKey: key) == nil ? .nothing : .full
        case .quotaSpec: return self.quotaSpecs.removeValue(forKey: key) == nil ? .nothing : .full
        case .quotaSpecBinding: return self.quotaBindings.removeValue(forKey: key) == nil ? .nothing : .full
        case .apiSpec: return self.apiSpecs.removeValue(forKey: key) == nil ? .nothing : .full
        case .apiSpecBinding: return self.apiBindings.removeValue(forKey: key) == nil ? .nothing : .full
        case .secret:
            let wasThere = self.secrets.removeValue(forKey: key) != nil
            return wasThere && self.isNamed(key) ? .full : .nothing
        case .endpointSlice: return self.setSlice(key, nil)
        case .pod: return self.setPod(key, nil)
        case .node: return self.nodes.removeValue(forKey: key) == nil ? .nothing : .full
        case .namespace: return key.name == self.rootNamespace ? self.setRoot(nil) : .nothing
        case .configMap: return self.holdsSettings(key) ? self.setSettings(nil) : .nothing
        }
    }

    private static func put<Value>(
        _ object: KubernetesObject,
        in table: inout [ObjectKey: Parsed<Value>],
        keepsLastGood: Bool = false,
        parse: (KubernetesObject) -> Parsed<Value>
    ) -> MeshChange {
        let old = table[object.key]
        if old?.isCurrent(for: object) == true { return .nothing }
        var new = parse(object)
        if keepsLastGood, let old { new.keepLastGood(of: old) }
        table[object.key] = new
        return new.says(sameAs: old) ? .nothing : .full
    }

    private func keys(of kind: MeshKind) -> [ObjectKey] {
        switch kind {
        case .service: Array(self.services.keys)
        case .endpointSlice: Array(self.slices.keys)
        case .pod: Array(self.pods.keys)
        case .node: Array(self.nodes.keys)
        case .namespace: self.rootObject == nil ? [] : [ObjectKey(namespace: nil, name: self.rootNamespace)]
        case .serviceEntry: Array(self.serviceEntries.keys)
        case .workloadEntry: Array(self.workloadEntries.keys)
        case .workloadGroup: Array(self.workloadGroups.keys)
        case .virtualService: Array(self.virtualServices.keys)
        case .destinationRule: Array(self.destinationRules.keys)
        case .gateway: Array(self.gateways.keys)
        case .sidecar: Array(self.sidecars.keys)
        case .peerAuthentication: Array(self.peerAuthentications.keys)
        case .requestAuthentication: Array(self.requestAuthentications.keys)
        case .authorizationPolicy: Array(self.authorizationPolicies.keys)
        case .policy: Array(self.policies.keys)
        case .meshPolicy: Array(self.meshPolicies.keys)
        case .quotaSpec: Array(self.quotaSpecs.keys)
        case .quotaSpecBinding: Array(self.quotaBindings.keys)
        case .apiSpec: Array(self.apiSpecs.keys)
        case .apiSpecBinding: Array(self.apiBindings.keys)
        case .secret: Array(self.secrets.keys)
        case .configMap:
            self.settingsObject == nil
                ? [] : [ObjectKey(namespace: self.rootNamespace, name: MeshSettingsParser.name)]
        }
    }

    // MARK: Places

    /// The network that pods are on unless they say another; empty: it has no name.
    var network: String { self.rootObject?.value ?? "" }

    /// Where a pod runs: as its labels say, else as its node's do.
    func locality(of pod: PodFacts) -> Locality {
        guard pod.workload.locality.isEmpty, let node = pod.node else { return pod.workload.locality }
        return self.nodes[ObjectKey(namespace: nil, name: node)]?.value ?? Locality()
    }

    private mutating func setRoot(_ parsed: Parsed<String>?) -> MeshChange {
        let old = self.network
        self.rootObject = parsed
        return old == self.network ? .nothing : .full
    }

    // MARK: Settings

    private func holdsSettings(_ key: ObjectKey) -> Bool {
        key == ObjectKey(namespace: self.rootNamespace, name: MeshSettingsParser.name)
    }

    private mutating func setSettings(_ parsed: Parsed<MeshSettings>?) -> MeshChange {
        let old = (self.settings, self.settingsObject?.diagnoses ?? [])
        self.settingsObject = parsed
        if let parsed {
            // A typing error must not open or close the mesh: the last good settings stay.
            self.settings = parsed.value ?? self.settings
        } else {
            self.settings = MeshSettings()
            self.settings.domainSuffix = self.domainSuffix
        }
        return old == (self.settings, parsed?.diagnoses ?? []) ? .nothing : .full
    }

    // MARK: What policies and gateways depend on

    private mutating func isNamed(_ key: ObjectKey) -> Bool {
        let names = self.credentialNames ?? Credentials.names(in: self)
        self.credentialNames = names
        return names.contains(key.name) || names.contains { "\($0)\(SecretParser.rootsSuffix)" == key.name }
    }

    /// Old policies name ports of services; which ports of workloads those are follows from slices.
    private var hasPortPolicies: Bool {
        self.policies.values.contains { $0.value?.targets.contains { !$0.ports.isEmpty } ?? false }
    }

    private func isGateway(_ workload: Workload) -> Bool {
        self.gateways.values.contains { gateway in
            guard let selector = gateway.value?.selector, !selector.isEmpty else { return false }
            return selector.allSatisfy { workload.labels[$0.key] == $0.value }
        }
    }

    // MARK: Endpoints

    private mutating func setSlice(_ key: ObjectKey, _ new: Parsed<SliceFacts>?) -> MeshChange {
        let old = self.slices[key]
        self.slices[key] = new
        if new?.says(sameAs: old) ?? (old == nil) { return .nothing }
        self.index.replace(slice: key, old: old?.value, new: new?.value)
        if old?.value?.ports != new?.value?.ports, self.hasPortPolicies { return .full }
        let touched = Set([old?.value?.service, new?.value?.service].compactMap { $0 })
        return .endpoints(Set(touched.compactMap(self.serviceKey)))
    }

    private mutating func setPod(_ key: ObjectKey, _ new: Parsed<PodFacts>?) -> MeshChange {
        let old = self.pods[key]?.value
        self.pods[key] = new
        guard old != new?.value else { return .nothing }
        if old?.workload != new?.value?.workload,
            [old, new?.value].contains(where: { $0.map { self.isGateway($0.workload) } ?? false })
        {
            // Where gateways are decides which Secrets they need.
            self.index.replace(pod: key, old: old?.workload, new: new?.value?.workload)
            return .full
        }
        self.index.replace(pod: key, old: old?.workload, new: new?.value?.workload)
        var touched: Set<ServiceKey> = []
        for facts in [old, new?.value].compactMap({ $0 }) {
            for slice in self.index.slices(at: facts.workload.address) {
                if let service = self.slices[slice]?.value?.service, let key = self.serviceKey(service) {
                    touched.insert(key)
                }
            }
            touched.formUnion(self.entries(selecting: facts.workload))
            if let revision = facts.workload.activation?.revision {
                touched.formUnion(self.index.services(of: revision).compactMap(self.serviceKey))
            }
        }
        return .endpoints(touched)
    }

    private mutating func setMachine(_ key: ObjectKey, _ new: Parsed<MachineFacts>?) -> MeshChange {
        let old = self.workloadEntries[key]
        self.workloadEntries[key] = new
        if new?.says(sameAs: old) ?? (old == nil) { return .nothing }
        if old?.diagnoses ?? [] != new?.diagnoses ?? [] { return .full }
        var touched: Set<ServiceKey> = []
        for facts in [old?.value, new?.value].compactMap({ $0 }) {
            if let workload = facts.workload, self.isGateway(workload) { return .full }
            touched.formUnion(self.services(selecting: facts, in: key.namespace))
        }
        return .endpoints(touched)
    }

    private func services(selecting machine: MachineFacts, in namespace: String?) -> [ServiceKey] {
        let services = self.services.compactMap { key, facts -> ServiceKey? in
            guard key.namespace == namespace, let service = facts.value?.service, !service.selector.isEmpty,
                machine.isSelected(by: service.selector)
            else { return nil }
            return ServiceKey(service)
        }
        let entries = self.serviceEntries.filter { key, facts in
            key.namespace == namespace && facts.value?.workloadSelector.map(machine.isSelected) ?? false
        }
        return services + entries.values.flatMap { $0.value?.services.map { ServiceKey($0) } ?? [] }
    }

    private func serviceKey(_ key: ObjectKey) -> ServiceKey? {
        self.services[key]?.value.map { ServiceKey($0.service) }
    }

    /// Hosts of the ServiceEntries that choose a pod by its labels.
    private func entries(selecting workload: Workload) -> [ServiceKey] {
        self.serviceEntries.flatMap { key, entry -> [ServiceKey] in
            guard key.namespace == workload.id.namespace, let facts = entry.value,
                let selector = facts.workloadSelector,
                selector.allSatisfy({ workload.labels[$0.key] == $0.value })
            else { return [] }
            return facts.services.map { ServiceKey($0) }
        }
    }
}
