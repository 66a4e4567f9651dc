package import MeshModel
package import RequestReports

/// Every revision's scaler, and what is to be done about each: a value without clock or input.
package struct Autoscaler: Sendable {
    /// What is known of a revision's pods.
    package struct Pods: Sendable, Hashable {
        package var ready: Int
        /// What the Deployment is set to; `nil` before it is known.
        package var replicas: Int?

        package init(ready: Int = 0, replicas: Int? = nil) {
            self.ready = ready
            self.replicas = replicas
        }
    }

    /// A decision about one revision.
    package struct Outcome: Sendable, Hashable {
        package var revision: ObjectID
        package var verdict: RevisionScaler.Verdict
        package var pods: Pods
        /// What the Deployment is to be set to, if that is a change.
        package var scale: Int?
        /// Whether the object's status has to be written.
        package var isStatusNews: Bool
    }

    fileprivate struct Entry {
        var scaler: RevisionScaler
        var pods: Pods
        var status: Status?
        var verdict: RevisionScaler.Verdict?
    }

    /// What an object's status says.
    fileprivate struct Status: Hashable {
        var desired: Int?
        var ready: Int
        var phase: Activation.Phase
        var isProxied: Bool
    }

    private var entries: [ObjectID: Entry] = [:]

    package init() {}

    package var revisions: [ObjectID] { self.entries.keys.sorted() }

    package func settings(of revision: ObjectID) -> ScalingSettings? { self.entries[revision]?.scaler.settings }

    /// Takes over a revision, or changed settings of one. `activation` is where it stands, if it is new here.
    package mutating func configure(
        _ revision: ObjectID,
        settings: ScalingSettings,
        pods: Pods,
        activation: @autoclosure () -> Activation,
        at now: Duration
    ) {
        if self.entries[revision] != nil {
            self.entries[revision]?.scaler.configure(settings)
            self.entries[revision]?.pods = pods
        } else {
            let scaler = RevisionScaler(settings: settings, activation: activation(), readyPods: pods.ready, at: now)
            self.entries[revision] = Entry(scaler: scaler, pods: pods)
        }
    }

    /// Pods have come or gone, or the Deployment was set.
    package mutating func observed(_ revision: ObjectID, pods: Pods) { self.entries[revision]?.pods = pods }

    package mutating func remove(_ revision: ObjectID) { self.entries[revision] = nil }

    /// Takes in reports; a revision at zero that somebody waits for is decided at once. Reports of revisions that are
    /// not known are left out.
    package mutating func record(_ messages: [StatMessage], at now: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        for message in messages {
            guard self.entries[message.revision]?.scaler.record(message.stat, at: now) == .tick else { continue }
            if let outcome = self.tick(message.revision, at: now) { outcomes.append(outcome) }
        }
        return outcomes
    }

    /// Decides about all revisions; gives those where something has to be done.
    package mutating func tick(at now: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        var index = self.entries.startIndex
        // By index: with the keys at hand the first change would copy the table.
        while index != self.entries.endIndex {
            let outcome = self.entries.values[index].tick(self.entries.keys[index], at: now)
            if outcome.scale != nil || outcome.isStatusNews { outcomes.append(outcome) }
            self.entries.formIndex(after: &index)
        }
        return outcomes
    }

    /// Decides about one revision.
    package mutating func tick(_ revision: ObjectID, at now: Duration) -> Outcome? {
        guard let index = self.entries.index(forKey: revision) else { return nil }
        return self.entries.values[index].tick(revision, at: now)
    }

    /// A status could not be written; it is tried again with the next tick.
    package mutating func statusFailed(_ revision: ObjectID) { self.entries[revision]?.status = nil }

    /// Whether the revision has reached its initial scale once.
    package func isInitialized(_ revision: ObjectID) -> Bool {
        self.entries[revision]?.scaler.activation.isInitialized ?? false
    }

    /// The last decision about each revision, by name.
    package var verdicts: [(revision: ObjectID, pods: Pods, settings: ScalingSettings, verdict: RevisionScaler.Verdict)]
    {
        self.entries.sorted { $0.key < $1.key }.compactMap { revision, entry in
            entry.verdict.map { (revision, entry.pods, entry.scaler.settings, $0) }
        }
    }
}

extension Autoscaler.Entry {
    fileprivate mutating func tick(_ revision: ObjectID, at now: Duration) -> Autoscaler.Outcome {
        // Pods that are up and about which nobody has reported anything yet have no traffic.
        if self.scaler.wanted == nil, self.pods.ready > 0 { _ = self.scaler.record(Stat(), at: now) }
        let verdict = self.scaler.tick(readyPods: self.pods.ready, at: now)
        var scale: Int?
        if case .scale(let count) = verdict.step.action, count != self.pods.replicas { scale = count }
        let status = Autoscaler.Status(
            desired: verdict.step.desired,
            ready: self.pods.ready,
            phase: verdict.phase,
            isProxied: verdict.step.isProxied
        )
        defer { self.status = status }
        self.verdict = verdict
        return Autoscaler.Outcome(
            revision: revision,
            verdict: verdict,
            pods: self.pods,
            scale: scale,
            isStatusNews: status != self.status
        )
    }
}
