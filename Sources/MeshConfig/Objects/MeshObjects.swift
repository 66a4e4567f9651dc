package import KubernetesAPI
import MeshModel

/// The current objects that the mesh is made from, each already read into the mesh's own words.
///
/// An object is parsed when it arrives and not again, so that building a snapshot after one change costs little. An
/// object that says nothing new, or that arrives a second time, changes nothing.
package struct MeshObjects: Sendable {
    /// The end of all names of Kubernetes services.
    package let domainSuffix: String
    /// Where the mesh settings are.
    package let rootNamespace: String

    private(set) var services: [ObjectKey: Parsed<ServiceFacts>] = [:]
    private(set) var slices: [ObjectKey: Parsed<SliceFacts>] = [:]
    private(set) var pods: [ObjectKey: Parsed<PodFacts>] = [:]
    private(set) var serviceEntries: [ObjectKey: Parsed<EntryFacts>] = [:]
    private(set) var virtualServices: [ObjectKey: Parsed<RouteRules>] = [:]
    private(set) var destinationRules: [ObjectKey: Parsed<DestinationPolicy>] = [:]
    /// The last settings that could be read.
    private(set) var settings: MeshSettings
    private var settingsObject: Parsed<MeshSettings>?
    private(set) var index = EndpointIndex()

    package init(domainSuffix: String = "cluster.local", rootNamespace: String = "istio-system") {
        self.domainSuffix = domainSuffix
        self.rootNamespace = rootNamespace
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
            + self.serviceEntries.values.flatMap(\.diagnoses) + self.virtualServices.values.flatMap(\.diagnoses)
            + self.destinationRules.values.flatMap(\.diagnoses)
    }

    var endpointDiagnoses: [Diagnosis] { self.slices.values.flatMap(\.diagnoses) }

    // MARK: One object

    private mutating func put(_ kind: MeshKind, _ object: KubernetesObject) -> MeshChange {
        let key = object.key
        switch kind {
        case .service:
            return Self.put(object, in: &self.services) { ServiceParser.parse($0, domain: self.domainSuffix) }
        case .serviceEntry:
            return Self.put(object, in: &self.serviceEntries) { ServiceEntryParser.parse($0) }
        case .virtualService:
            return Self.put(object, in: &self.virtualServices) {
                VirtualServiceParser.parse($0, domain: self.domainSuffix)
            }
        case .destinationRule:
            return Self.put(object, in: &self.destinationRules) {
                DestinationRuleParser.parse($0, domain: self.domainSuffix)
            }
        case .endpointSlice:
            if self.slices[key]?.isCurrent(for: object) == true { return .nothing }
            return self.setSlice(key, EndpointParser.parse(slice: object))
        case .pod:
            if self.pods[key]?.isCurrent(for: object) == true { return .nothing }
            return self.setPod(key, EndpointParser.parse(pod: object))
        case .configMap:
            guard self.holdsSettings(key) else { return .nothing }
            return self.setSettings(MeshSettingsParser.parse(object, domain: self.domainSuffix))
        }
    }

    private mutating func remove(_ kind: MeshKind, _ key: ObjectKey) -> MeshChange {
        switch kind {
        case .service: return self.services.removeValue(forKey: key) == nil ? .nothing : .full
        case .serviceEntry: return self.serviceEntries.removeValue(forKey: key) == nil ? .nothing : .full
        case .virtualService: return self.virtualServices.removeValue(forKey: key) == nil ? .nothing : .full
        case .destinationRule: return self.destinationRules.removeValue(forKey: key) == nil ? .nothing : .full
        case .endpointSlice: return self.setSlice(key, nil)
        case .pod: return self.setPod(key, nil)
        case .configMap: return self.holdsSettings(key) ? self.setSettings(nil) : .nothing
        }
    }

    private static func put<Value>(
        _ object: KubernetesObject,
        in table: inout [ObjectKey: Parsed<Value>],
        parse: (KubernetesObject) -> Parsed<Value>
    ) -> MeshChange {
        let old = table[object.key]
        if old?.isCurrent(for: object) == true { return .nothing }
        let new = parse(object)
        table[object.key] = new
        return new.says(sameAs: old) ? .nothing : .full
    }

    private func keys(of kind: MeshKind) -> [ObjectKey] {
        switch kind {
        case .service: Array(self.services.keys)
        case .endpointSlice: Array(self.slices.keys)
        case .pod: Array(self.pods.keys)
        case .serviceEntry: Array(self.serviceEntries.keys)
        case .virtualService: Array(self.virtualServices.keys)
        case .destinationRule: Array(self.destinationRules.keys)
        case .configMap:
            self.settingsObject == nil
                ? [] : [ObjectKey(namespace: self.rootNamespace, name: MeshSettingsParser.name)]
        }
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

    // MARK: Endpoints

    private mutating func setSlice(_ key: ObjectKey, _ new: Parsed<SliceFacts>?) -> MeshChange {
        let old = self.slices[key]
        self.slices[key] = new
        if new?.says(sameAs: old) ?? (old == nil) { return .nothing }
        self.index.replace(slice: key, old: old?.value, new: new?.value)
        let touched = Set([old?.value?.service, new?.value?.service].compactMap { $0 })
        return .endpoints(Set(touched.compactMap(self.serviceKey)))
    }

    private mutating func setPod(_ key: ObjectKey, _ new: Parsed<PodFacts>?) -> MeshChange {
        let old = self.pods[key]?.value
        self.pods[key] = new
        guard old != new?.value else { return .nothing }
        self.index.replace(pod: key, old: old?.workload.address, new: new?.value?.workload.address)
        var touched: Set<ServiceKey> = []
        for facts in [old, new?.value].compactMap({ $0 }) {
            for slice in self.index.slices(at: facts.workload.address) {
                if let service = self.slices[slice]?.value?.service, let key = self.serviceKey(service) {
                    touched.insert(key)
                }
            }
            touched.formUnion(self.entries(selecting: facts.workload))
        }
        return .endpoints(touched)
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
