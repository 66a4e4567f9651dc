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
        /// Whether a request woke the revision.
        package var isPoke = false
    }

    /// What an object's status says.
    package struct Status: Sendable, Hashable {
        package enum Phase: Sendable, Hashable {
            case activating
            case active
            case idle
            /// Idle because no pod became ready.
            case givenUp

            package init(_ verdict: RevisionScaler.Verdict) {
                switch verdict.phase {
                case .activating: self = .activating
                case .active: self = .active
                case .inactive: self = verdict.step.cause == .activationTimedOut ? .givenUp : .idle
                }
            }
        }

        package var desired: Int?
        package var ready: Int
        package var phase: Phase
        package var isProxied: Bool
        package var isInitialized: Bool

        package init(desired: Int?, ready: Int, phase: Phase, isProxied: Bool, isInitialized: Bool) {
            self.desired = desired
            self.ready = ready
            self.phase = phase
            self.isProxied = isProxied
            self.isInitialized = isInitialized
        }
    }

    fileprivate struct Entry {
        var scaler: RevisionScaler
        var pods: Pods
        var status: Status?
        var verdict: RevisionScaler.Verdict?
    }

    private var entries: [ObjectID: Entry] = [:]
    /// Revisions to decide about before the next tick, and from when on.
    private var hurried: [ObjectID: Duration] = [:]

    package init() {}

    package var revisions: [ObjectID] { self.entries.keys.sorted() }

    package func settings(of revision: ObjectID) -> ScalingSettings? { self.entries[revision]?.scaler.settings }

    /// Takes over a revision, or changed settings of one. `activation` is where it stands, and `status` what its object
    /// says already, if it is new here.
    ///
    /// - Returns: Whether there is something new to decide on.
    @discardableResult
    package mutating func configure(
        _ revision: ObjectID,
        settings: ScalingSettings,
        pods: Pods,
        activation: @autoclosure () -> Activation,
        status: Status? = nil,
        at now: Duration
    ) -> Bool {
        if let entry = self.entries[revision] {
            guard entry.scaler.settings != settings || entry.pods != pods else { return false }
            self.entries[revision]?.scaler.configure(settings)
            self.entries[revision]?.pods = pods
            return true
        }
        let scaler = RevisionScaler(
            settings: settings,
            activation: activation().begun(settings: settings, readyPods: pods.ready, at: now),
            readyPods: pods.ready,
            isProxied: status?.isProxied,
            at: now
        )
        self.entries[revision] = Entry(scaler: scaler, pods: pods, status: status)
        return true
    }

    /// Pods have come or gone, or the Deployment was set.
    package mutating func observed(_ revision: ObjectID, pods: Pods) { self.entries[revision]?.pods = pods }

    package mutating func remove(_ revision: ObjectID) {
        self.entries[revision] = nil
        self.hurried[revision] = nil
    }

    /// Takes in reports; who waits for pods is served at once, or as soon as ``nextHurry`` says. Reports of revisions
    /// that are not known are left out.
    package mutating func record(_ messages: [StatMessage], at now: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        for message in messages {
            let isAsleep = self.entries[message.revision]?.scaler.wanted == 0
            switch self.entries[message.revision]?.scaler.record(message.stat, at: now) {
            case .tick:
                guard var outcome = self.tick(message.revision, at: now) else { continue }
                outcome.isPoke = isAsleep
                outcomes.append(outcome)
            case .tickAt(let moment): self.hurried[message.revision] = moment
            case .wait, nil: ()
            }
        }
        return outcomes
    }

    /// When the first of the decisions is due that do not wait for the next tick; `nil`: there are none.
    package var nextHurry: Duration? { self.hurried.values.min() }

    /// Makes the decisions that are due before the next tick.
    package mutating func tickHurried(at now: Duration) -> [Outcome] {
        let due = self.hurried.filter { $0.value <= now }.keys
        return due.compactMap { revision in
            self.entries[revision]?.scaler.hurried(at: now)
            return self.tick(revision, at: now)
        }
    }

    /// Decides about all revisions; gives those where something has to be done.
    package mutating func tick(at now: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        self.hurried = [:]
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
        self.hurried[revision] = nil
        guard let index = self.entries.index(forKey: revision) else { return nil }
        return self.entries.values[index].tick(revision, at: now)
    }

    /// The last decision about a revision, with what its Deployment is still to be set to.
    package func outcome(of revision: ObjectID) -> Outcome? {
        guard let entry = self.entries[revision], let verdict = entry.verdict else { return nil }
        return Outcome(
            revision: revision,
            verdict: verdict,
            pods: entry.pods,
            scale: entry.scale(after: verdict),
            isStatusNews: entry.status == nil
        )
    }

    /// A status could not be written, or is not what it was; it is tried again with the next tick.
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
        let verdict = self.scaler.tick(readyPods: self.pods.ready, at: now)
        let status = Autoscaler.Status(
            // While nothing is known what the object says stays.
            desired: verdict.step.desired ?? self.status?.desired,
            ready: self.pods.ready,
            phase: Autoscaler.Status.Phase(verdict),
            isProxied: verdict.step.isProxied,
            isInitialized: self.scaler.activation.isInitialized
        )
        defer { self.status = status }
        self.verdict = verdict
        return Autoscaler.Outcome(
            revision: revision,
            verdict: verdict,
            pods: self.pods,
            scale: self.scale(after: verdict),
            isStatusNews: status != self.status
        )
    }

    /// What the Deployment is to be set to; `nil` if it is.
    fileprivate func scale(after verdict: RevisionScaler.Verdict) -> Int? {
        guard case .scale(let count) = verdict.step.action, count != self.pods.replicas else { return nil }
        return count
    }
}
