package import KubernetesAPI
package import MeshModel

/// Which pods of revisions answer, and which are to be asked whether they do: a value without sockets.
package struct PodBook: Sendable {
    /// What a change leads to.
    package struct OnChange: Sendable, Hashable {
        /// Revisions whose pods that answer may be others now.
        package var revisions: Set<ObjectID> = []
        /// Addresses to open a connection to, until ``probeEnded(_:isAnswering:)``.
        package var probes: [String] = []

        package init(revisions: Set<ObjectID> = [], probes: [String] = []) {
            self.revisions = revisions
            self.probes = probes
        }
    }

    private struct Entry {
        var pod: PodWatch.Pod
        var isAnswering = false
        /// It refused a connection, and has not been seen to answer since.
        var isRefusing = false
        /// Kubernetes has called it ready once. If it does not any more, it has its reasons.
        var wasReady = false

        var isProbeWanted: Bool {
            !self.isAnswering && (self.isRefusing || (self.pod.isProbeable && !self.wasReady))
        }
    }

    private var entries: [ObjectID: Entry] = [:]
    private var pods: [String: ObjectID] = [:]
    private var probed: Set<String> = []

    package init() {}

    /// Addresses of the revision's pods that answer.
    package func answering(of revision: ObjectID) -> [String] {
        self.entries.values.filter { $0.isAnswering && $0.pod.revision == revision }.map(\.pod.address)
    }

    /// Whether it still matters if somebody answers there.
    package func isProbeWanted(_ address: String) -> Bool {
        self.pods[address].flatMap { self.entries[$0] }?.isProbeWanted ?? false
    }

    /// Pods have come, changed or gone.
    package mutating func changed(_ change: ObjectChange) -> OnChange {
        var outcome = OnChange()
        switch change {
        case .replacedAll(let objects):
            let ids = Set(objects.map(Self.id))
            for id in self.entries.keys where !ids.contains(id) { self.remove(id, &outcome) }
            for object in objects { self.take(object, &outcome) }
        case .added(let object), .modified(let object): self.take(object, &outcome)
        case .deleted(let object): self.remove(Self.id(object), &outcome)
        }
        return outcome
    }

    /// A pod did not take a connection: it gets no more requests until it is seen to answer again.
    package mutating func refused(_ address: String) -> OnChange {
        guard let id = self.pods[address], let revision = self.entries[id]?.pod.revision else { return OnChange() }
        self.entries[id]?.isAnswering = false
        self.entries[id]?.isRefusing = true
        var outcome = OnChange(revisions: [revision])
        self.probe(address, &outcome)
        return outcome
    }

    /// A probe has ended: somebody answers, or nobody wants to know any more.
    package mutating func probeEnded(_ address: String, isAnswering: Bool) -> OnChange {
        self.probed.remove(address)
        // Meanwhile the address may have become another pod's.
        guard let id = self.pods[address], var entry = self.entries[id], entry.isProbeWanted else { return OnChange() }
        var outcome = OnChange()
        if isAnswering {
            entry.isAnswering = true
            entry.isRefusing = false
            self.entries[id] = entry
            outcome.revisions.insert(entry.pod.revision)
        } else {
            self.probe(address, &outcome)
        }
        return outcome
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private mutating func take(_ object: KubernetesObject, _ outcome: inout OnChange) {
        let id = Self.id(object)
        guard let pod = PodWatch.Pod(object) else { return self.remove(id, &outcome) }
        if let old = self.entries[id], old.pod.address != pod.address || old.pod.revision != pod.revision {
            self.remove(id, &outcome)
        }
        var entry = self.entries[id] ?? Entry(pod: pod)
        entry.pod = pod
        if pod.isReady {
            entry.wasReady = true
            entry.isAnswering = !entry.isRefusing
        } else if entry.wasReady {
            entry.isAnswering = false
        }
        self.entries[id] = entry
        self.pods[pod.address] = id
        outcome.revisions.insert(pod.revision)
        if entry.isProbeWanted { self.probe(pod.address, &outcome) }
    }

    private mutating func remove(_ id: ObjectID, _ outcome: inout OnChange) {
        guard let old = self.entries.removeValue(forKey: id) else { return }
        if self.pods[old.pod.address] == id { self.pods[old.pod.address] = nil }
        outcome.revisions.insert(old.pod.revision)
    }

    private mutating func probe(_ address: String, _ outcome: inout OnChange) {
        if self.probed.insert(address).inserted { outcome.probes.append(address) }
    }
}
