package import KubernetesAPI
package import MeshModel

/// The pods of a cluster, to be found by name or address. It knows no API and no lock.
package struct PodDirectory: Sendable {
    /// What is kept of a pod: names and addresses, not the object.
    package struct Entry: Sendable, Hashable {
        package var key: ObjectKey
        package var labels: [String: String]
        package var address: IPAddress?
        package var hostAddress: IPAddress?
        package var serviceAccount: String
        package var workload: Workload
        /// Names of containers by the port that they have declared.
        package var containers: [Int64: String]

        /// As proxies name it: `kubernetes://NAME.NAMESPACE`.
        package var uid: String { "kubernetes://\(self.key.name).\(self.key.namespace ?? "default")" }
    }

    /// What a pod was made for.
    package struct Workload: Sendable, Hashable {
        package var name: String
        package var namespace: String
        /// Such as `kubernetes://apis/apps/v1/namespaces/shop/deployments/web`.
        package var owner: String

        package var uid: String { "istio://\(self.namespace)/workloads/\(self.name)" }
    }

    private var entries: [ObjectKey: Entry] = [:]
    private var keys: [IPAddress: ObjectKey] = [:]

    package init() {}

    package mutating func apply(_ change: ObjectChange) {
        switch change {
        case .replacedAll(let pods):
            self = PodDirectory()
            for pod in pods { self.add(pod) }
        case .added(let pod), .modified(let pod): self.add(pod)
        case .deleted(let pod): self.remove(pod.key)
        }
    }

    private mutating func add(_ pod: KubernetesObject) {
        self.remove(pod.key)
        let entry = Entry(pod)
        self.entries[pod.key] = entry
        // The address of a pod that is over may be another's by now; that of a host is the address of several.
        let isOver = ["Succeeded", "Failed"].contains(pod.status["phase"]?.string)
        if let address = entry.address, !isOver, pod.spec["hostNetwork"]?.bool != true { self.keys[address] = pod.key }
    }

    private mutating func remove(_ key: ObjectKey) {
        guard let entry = self.entries.removeValue(forKey: key) else { return }
        if let address = entry.address, self.keys[address] == key { self.keys[address] = nil }
    }

    /// The pod that is named so, or else the one with the address; `nil` if neither is known.
    ///
    /// A name that is none of a pod (`unknown`, or of something else) is as good as no name.
    package func entry(uid: String, address: IPAddress?) -> Entry? {
        if let key = Self.key(uid), let entry = self.entries[key] { return entry }
        guard let address, !address.isUnspecified, let key = self.keys[address] else { return nil }
        return self.entries[key]
    }

    /// A pod's name may have dots, a namespace has none.
    private static func key(_ uid: String) -> ObjectKey? {
        let prefix = "kubernetes://"
        guard uid.hasPrefix(prefix), let dot = uid.lastIndex(of: ".") else { return nil }
        let name = uid[..<dot].dropFirst(prefix.count)
        return ObjectKey(namespace: String(uid[uid.index(after: dot)...]), name: String(name))
    }
}

extension PodDirectory.Entry {
    package init(_ pod: KubernetesObject) {
        self.key = pod.key
        self.labels = pod.labels
        self.address = pod.status["podIP"]?.string.flatMap { IPAddress($0) }
        self.hostAddress = pod.status["hostIP"]?.string.flatMap { IPAddress($0) }
        self.serviceAccount = pod.spec["serviceAccountName"]?.string ?? "default"
        self.workload = PodDirectory.Workload(of: pod)
        self.containers = [:]
        for container in pod.spec["containers"]?.array ?? [] {
            guard let name = container["name"]?.string else { continue }
            for port in container["ports"]?.array ?? [] {
                if let number = port["containerPort"]?.int { self.containers[Int64(number)] = name }
            }
        }
    }
}

extension PodDirectory.Workload {
    /// The controller; of a ReplicaSet that a Deployment made, which its name tells, the Deployment. A pod that nobody
    /// made is a workload itself.
    init(of pod: KubernetesObject) {
        var (name, kind, version) = (pod.name, "Pod", "v1")
        if let controller = pod.controller {
            (name, kind, version) = (controller.name, controller.kind, controller.apiVersion)
            if kind == "ReplicaSet", let hash = pod.labels["pod-template-hash"], name.hasSuffix("-" + hash) {
                name = String(name.dropLast(hash.count + 1))
                kind = "Deployment"
            }
        }
        let namespace = pod.namespace ?? "default"
        let path = "apis/\(version)/namespaces/\(namespace)/\(kind.lowercased())s/\(name)"
        self.init(name: name, namespace: namespace, owner: "kubernetes://" + path)
    }
}
