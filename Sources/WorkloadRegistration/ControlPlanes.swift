package import KubernetesAPI

/// Which control planes are there, by the names of their pods.
///
/// All pods of the control plane's namespace that have not ended count: one too many keeps an entry that nobody looks
/// after, one too few takes a machine out of the mesh that another control plane serves. So it matters that those are
/// among them that use the network of their node, and that nobody is taken for gone before all have been listed.
package struct ControlPlanes: Sendable {
    private var pods: [String: Bool]?

    package init() {}

    /// `nil`: not known yet.
    package var names: Set<String>? { self.pods.map { Set($0.filter(\.value).keys) } }

    /// Follows the pods of the control plane's namespace.
    package mutating func changed(_ change: ObjectChange) {
        switch change {
        case .replacedAll(let objects):
            self.pods = Dictionary(objects.map { ($0.name, Self.isLiving($0)) }, uniquingKeysWith: { $1 })
        case .added(let object), .modified(let object): self.pods?[object.name] = Self.isLiving(object)
        case .deleted(let object): self.pods?[object.name] = nil
        }
    }

    private static func isLiving(_ pod: KubernetesObject) -> Bool {
        switch pod.status["phase"]?.string {
        // Evicted ones stay in the list.
        case "Succeeded", "Failed": false
        default: true
        }
    }
}
