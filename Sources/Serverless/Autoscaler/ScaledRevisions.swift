package import KubernetesAPI
package import MeshModel
package import RequestReports

/// What the cluster's objects say of the revisions that are scaled, and the decisions about them: a value without clock or
/// input.
///
/// Until all kinds of objects have been listed nothing is decided. A revision of whose pods nothing is known yet would
/// be taken for one without pods, and what is decided then holds for a whole window.
package struct ScaledRevisions: Sendable {
    /// What is listed and followed.
    package enum Source: Sendable, Hashable, CaseIterable { case podAutoscalers, deployments, defaults }

    /// What follows from a change.
    package struct OnChange: Sendable {
        package var outcomes: [Autoscaler.Outcome] = []
        /// Annotations that are newly found to be wrong.
        package var complaints: [(revision: ObjectID, problem: SettingProblem)] = []
    }

    package private(set) var autoscaler = Autoscaler()
    private var objects: [ObjectID: PodAutoscaler] = [:]
    private var deployments: [ObjectID: Autoscaler.Pods] = [:]
    /// Whose pods a Deployment's are.
    private var revisions: [ObjectID: ObjectID] = [:]
    private var defaults = AutoscalerDefaults()
    /// What was told to be wrong with a revision's annotations.
    private var complaints: [ObjectID: [SettingProblem]] = [:]
    private var unlisted = Set(Source.allCases)

    package init() {}

    /// Whether all objects have been read once.
    package var isListed: Bool { self.unlisted.isEmpty }

    package func object(_ revision: ObjectID) -> PodAutoscaler? { self.objects[revision] }

    // MARK: Objects

    /// All objects of a kind have been read once. With the last kind the decisions begin.
    package mutating func listed(_ source: Source, at now: Duration) -> OnChange {
        var on = OnChange()
        guard self.unlisted.remove(source) != nil, self.unlisted.isEmpty else { return on }
        for object in self.objects.values { _ = self.configure(object, &on, now) }
        on.outcomes = self.autoscaler.tick(at: now)
        return on
    }

    package mutating func podAutoscalersChanged(_ change: ObjectChange, at now: Duration) -> OnChange {
        var on = OnChange()
        switch change {
        case .replacedAll(let objects):
            let ids = Set(objects.map(Self.id))
            for id in self.objects.keys where !ids.contains(id) { self.forget(id) }
            for object in objects { self.take(object, &on, now) }
        case .added(let object), .modified(let object): self.take(object, &on, now)
        case .deleted(let object): self.forget(Self.id(object))
        }
        return on
    }

    private mutating func forget(_ id: ObjectID) {
        if let deployment = self.objects[id]?.deployment { self.revisions[deployment] = nil }
        self.objects[id] = nil
        self.complaints[id] = nil
        self.autoscaler.remove(id)
    }

    private mutating func take(_ object: KubernetesObject, _ on: inout OnChange, _ now: Duration) {
        guard let object = PodAutoscaler(object) else { return self.forget(Self.id(object)) }
        let before = self.objects.updateValue(object, forKey: object.id)
        if let before, before.asksTheSame(as: object) {
            // Its own status comes back as an event, too. One without status is another object of that name.
            if object.reported == nil { self.autoscaler.statusFailed(object.id) }
            return
        }
        if let before { self.revisions[before.deployment] = nil }
        self.revisions[object.deployment] = object.id
        guard self.isListed, self.configure(object, &on, now) else { return }
        if let outcome = self.autoscaler.tick(object.id, at: now) { on.outcomes.append(outcome) }
    }

    /// Says whether there is something new to decide on.
    private mutating func configure(_ object: PodAutoscaler, _ on: inout OnChange, _ now: Duration) -> Bool {
        var (parsed, problems) = ScalingAnnotations.parse(
            object.annotations,
            containerConcurrency: object.containerConcurrency,
            defaults: self.defaults
        )
        if problems != self.complaints[object.id] ?? [] {
            self.complaints[object.id] = problems
            on.complaints += problems.map { (object.id, $0) }
        }
        guard parsed.isOurs else {
            self.autoscaler.remove(object.id)
            return false
        }
        parsed.settings.isReachable = object.isReachable
        return self.autoscaler.configure(
            object.id,
            settings: parsed.settings,
            pods: self.deployments[object.deployment] ?? Autoscaler.Pods(),
            activation: object.activation(now: now),
            status: object.reported,
            at: now
        )
    }

    package mutating func deploymentsChanged(_ change: ObjectChange, at now: Duration) -> OnChange {
        let changed: Set<ObjectID>
        switch change {
        case .replacedAll(let objects):
            changed = Set(self.deployments.keys).union(objects.map(Self.id))
            self.deployments = [:]
            for object in objects { self.deployments[Self.id(object)] = Self.pods(object) }
        case .added(let object), .modified(let object):
            let before = self.deployments.updateValue(Self.pods(object), forKey: Self.id(object))
            guard self.deployments[Self.id(object)] != before else { return OnChange() }
            changed = [Self.id(object)]
        case .deleted(let object):
            changed = [Self.id(object)]
            self.deployments[Self.id(object)] = nil
        }
        var on = OnChange()
        guard self.isListed else { return on }
        // A pod that has become ready changes the path of requests: not a matter of the next tick.
        for deployment in changed {
            guard let revision = self.revisions[deployment] else { continue }
            self.autoscaler.observed(revision, pods: self.deployments[deployment] ?? Autoscaler.Pods())
            if let outcome = self.autoscaler.tick(revision, at: now) { on.outcomes.append(outcome) }
        }
        return on
    }

    /// The ConfigMap `config-autoscaler` says something else. Decisions follow it from the next tick on.
    package mutating func defaultsChanged(_ defaults: AutoscalerDefaults, at now: Duration) -> OnChange {
        var on = OnChange()
        guard defaults != self.defaults else { return on }
        self.defaults = defaults
        guard self.isListed else { return on }
        for object in self.objects.values { _ = self.configure(object, &on, now) }
        return on
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private static func pods(_ deployment: KubernetesObject) -> Autoscaler.Pods {
        Autoscaler.Pods(
            ready: deployment.json[path: "status", "readyReplicas"]?.int ?? 0,
            replicas: deployment.json[path: "spec", "replicas"]?.int ?? 1
        )
    }

    // MARK: Decisions

    package mutating func record(_ messages: [StatMessage], at now: Duration) -> [Autoscaler.Outcome] {
        self.autoscaler.record(messages, at: now)
    }

    package mutating func tick(at now: Duration) -> [Autoscaler.Outcome] {
        self.isListed ? self.autoscaler.tick(at: now) : []
    }

    package mutating func tickHurried(at now: Duration) -> [Autoscaler.Outcome] {
        self.autoscaler.tickHurried(at: now)
    }

    // MARK: What was done

    /// The Deployment was set. The watch tells it too, but the next tick may come first.
    package mutating func scaled(_ revision: ObjectID, to count: Int) {
        guard let deployment = self.objects[revision]?.deployment, var pods = self.deployments[deployment] else {
            return
        }
        pods.replicas = count
        self.deployments[deployment] = pods
        self.autoscaler.observed(revision, pods: pods)
    }

    package mutating func statusFailed(_ revision: ObjectID) { self.autoscaler.statusFailed(revision) }
}
