internal import KubernetesAPI
internal import MeshModel

/// A WorkloadGroup, as entries are made from it. Fields that are newer than this program go into entries as well.
struct EntryTemplate {
    /// Istio's annotations of entries that were made for somebody.
    enum Annotation {
        static let group = "istio.io/autoRegistrationGroup"
        /// The control plane whose proxy it is.
        static let controller = "istio.io/workloadController"
        static let connectedAt = "istio.io/connectedAt"
        static let reportsHealth = "proxy.istio.io/health-checks-enabled"
    }

    static let healthCondition = "Healthy"

    private let group: KubernetesObject

    init(_ group: KubernetesObject) { self.group = group }

    private var template: JSONValue { self.group.spec["template"] ?? .null }

    var serviceAccount: String {
        let account = self.template["serviceAccount"]?.string ?? self.template["service_account"]?.string ?? ""
        return account.isEmpty ? "default" : account
    }

    private var isProbed: Bool { self.group.spec["probe"]?.object != nil }

    /// The entry of a machine.
    func entry(of machine: Machine, controller: String) -> KubernetesObject {
        let id = machine.entry
        var entry = KubernetesObject(.workloadEntries, namespace: id.namespace, name: id.name)
        let own = self.group.spec[path: "metadata", "labels"]?.stringMap ?? [:]
        entry.labels = own
        entry.annotations = (self.group.spec[path: "metadata", "annotations"]?.stringMap ?? [:])
            .merging(self.annotations(machine, controller)) { $1 }
        entry.ownerReferences = [OwnerReference(to: self.group)]
        var spec = self.template.object == nil ? JSONValue.object([:]) : self.template
        spec["address"] = .string(machine.address.description)
        let labels = (self.template["labels"]?.stringMap ?? [:]).merging(own) { $1 }
        spec["labels"] = labels.isEmpty ? nil : JSONValue(labels)
        spec["service_account"] = nil
        // Written out, since an entry without one is taken for a machine without a proxy.
        spec["serviceAccount"] = .string(self.serviceAccount)
        if !machine.network.isEmpty { spec["network"] = .string(machine.network) }
        entry.spec = spec
        return entry
    }

    private func annotations(_ machine: Machine, _ controller: String) -> [String: String] {
        var result = [
            Annotation.group: self.group.name,
            Annotation.controller: controller,
            Annotation.connectedAt: KubernetesTime.text(seconds: machine.connectedAt),
        ]
        if self.isProbed { result[Annotation.reportsHealth] = "true" }
        return result
    }
}

extension KubernetesObject {
    /// Whether an entry says what another one shall say; what others have added to it does not matter.
    func says(_ wanted: KubernetesObject) -> Bool {
        self.spec == wanted.spec && wanted.labels.allSatisfy { self.labels[$0.key] == $0.value }
            && wanted.annotations.allSatisfy { self.annotations[$0.key] == $0.value }
            // A group that is no longer probed, or was made anew.
            && (self.annotations[EntryTemplate.Annotation.reportsHealth] == nil)
                == (wanted.annotations[EntryTemplate.Annotation.reportsHealth] == nil)
            && self.ownerReferences == wanted.ownerReferences
    }

    /// This object with the contents of another, for a replacement that fails if somebody else was faster.
    func taking(_ wanted: KubernetesObject) -> KubernetesObject {
        var object = self
        object.spec = wanted.spec
        object.labels = self.labels.merging(wanted.labels) { $1 }
        var annotations = self.annotations.merging(wanted.annotations) { $1 }
        if wanted.annotations[EntryTemplate.Annotation.reportsHealth] == nil {
            annotations[EntryTemplate.Annotation.reportsHealth] = nil
        }
        object.annotations = annotations
        object.ownerReferences = wanted.ownerReferences
        return object
    }

    /// What its conditions say; `nil`: nothing.
    var isHealthy: Bool? {
        self.healthCondition.map { $0["status"]?.string == "True" }
    }

    var healthCondition: JSONValue? {
        (self.status["conditions"]?.array ?? []).last { $0["type"]?.string == EntryTemplate.healthCondition }
    }

    /// The conditions with one about health in them.
    func conditions(isHealthy: Bool, message: String, at seconds: Int64) -> JSONValue {
        let others = (self.status["conditions"]?.array ?? []).filter {
            $0["type"]?.string != EntryTemplate.healthCondition
        }
        let time = KubernetesTime.text(seconds: seconds)
        let condition: JSONValue = [
            "type": .string(EntryTemplate.healthCondition), "status": isHealthy ? "True" : "False",
            "message": .string(message), "lastProbeTime": .string(time), "lastTransitionTime": .string(time),
        ]
        return .array(others + [condition])
    }
}
