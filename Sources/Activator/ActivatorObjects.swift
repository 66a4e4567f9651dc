package import KubernetesAPI
internal import MeshModel
internal import Serverless
package import TrafficEngine

/// What an activator knows of revisions and their pods, and the state of its proxy that follows: a value without input or
/// output.
///
/// It goes by pods themselves and not by their EndpointSlices: these name a pod later, and nobody waits for less than a pod.
package struct ActivatorObjects: Sendable {
    /// Objects that come by a watch of their own.
    package enum Kind: Sendable, Hashable, CaseIterable { case revisions, pods }

    /// What a revision's PodAutoscaler says.
    private struct Settings: Sendable, Hashable {
        var concurrencyMax: Int
        var timeLimit: Duration
        var speaksHTTP2: Bool

        init(_ object: PodAutoscaler) {
            self.concurrencyMax = object.containerConcurrency
            self.timeLimit = object.timeLimit
            self.speaksHTTP2 = object.speaksHTTP2
        }
    }

    /// What a revision's cluster is made of.
    private struct Facts: Sendable, Hashable {
        var concurrencyMax: Int
        var speaksHTTP2: Bool
        var endpoints: [ClusterEndpoint]
    }

    private static let connectTimeout: Duration = .milliseconds(500)
    /// Connections to pods that nothing goes over are closed, as pods do it themselves sooner or later.
    private static let idleTimeout: Duration = .seconds(60)

    private let listener: Listener
    private var unread = Set(Kind.allCases)
    private var settings: [ObjectID: Settings] = [:]
    private var pods: [ObjectID: ActivatorPod] = [:]
    private var podNames: [ObjectID: Set<ObjectID>] = [:]
    /// For the life of the process: a number is never another revision's.
    private var numbers: [ObjectID: ClusterID] = [:]
    private var facts: [ObjectID: Facts] = [:]
    private var clusters: [Cluster?] = []
    private var routes: [ObjectID: Route] = [:]
    /// `nil`: it has to be made anew.
    private var table: RouteTable?
    private var stateNumber: UInt64 = 0

    /// `address`: where requests come in.
    package init(address: NetworkAddress) { self.listener = ActivatorRoutes.listener(at: address) }

    /// All objects have been read once.
    package var isComplete: Bool { self.unread.isEmpty }

    /// The state as of now. What has not changed is the same as in the one before.
    package mutating func state() -> ProxyState {
        self.stateNumber += 1
        let table = self.table ?? ActivatorRoutes.table(of: self.routes, isReady: self.isComplete)
        self.table = table
        return ProxyState(
            revision: self.stateNumber,
            listeners: [self.listener],
            clusters: self.clusters,
            routeTables: [table.name: table]
        )
    }

    // MARK: Changes; each says whether the state is another

    /// All objects of the kind have been read.
    package mutating func read(_ kind: Kind) -> Bool {
        guard self.unread.remove(kind) != nil, self.isComplete else { return false }
        self.table = nil
        return true
    }

    /// PodAutoscalers have come, changed or gone.
    package mutating func revisionsChanged(_ change: ObjectChange) -> Bool {
        var touched: Set<ObjectID> = []
        switch change {
        case .replacedAll(let objects):
            let known = objects.compactMap { PodAutoscaler($0) }
            for id in Set(self.settings.keys).subtracting(known.map(\.id)) { self.set(nil, id, &touched) }
            for object in known { self.set(Settings(object), object.id, &touched) }
        case .added(let object), .modified(let object):
            // One that says nothing to be scaled is none.
            self.set(PodAutoscaler(object).map(Settings.init), Self.id(object), &touched)
        case .deleted(let object): self.set(nil, Self.id(object), &touched)
        }
        _ = self.rebuild(touched)
        // If not a cluster, a route is another.
        return !touched.isEmpty
    }

    /// Pods have come, changed or gone.
    package mutating func podsChanged(_ change: ObjectChange) -> Bool {
        var touched: Set<ObjectID> = []
        switch change {
        case .replacedAll(let objects):
            for id in Set(self.pods.keys).subtracting(objects.map(Self.id)) { self.set(nil, pod: id, &touched) }
            for object in objects { self.set(ActivatorPod(object), pod: Self.id(object), &touched) }
        case .added(let object), .modified(let object):
            self.set(ActivatorPod(object), pod: Self.id(object), &touched)
        case .deleted(let object): self.set(nil, pod: Self.id(object), &touched)
        }
        return self.rebuild(touched)
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private mutating func set(_ settings: Settings?, _ revision: ObjectID, _ touched: inout Set<ObjectID>) {
        guard self.settings[revision] != settings else { return }
        self.settings[revision] = settings
        touched.insert(revision)
        self.routes[revision] = settings.map {
            ActivatorRoutes.route(to: revision, self.number(of: revision), timeLimit: $0.timeLimit)
        }
        self.table = nil
    }

    private mutating func set(_ pod: ActivatorPod?, pod id: ObjectID, _ touched: inout Set<ObjectID>) {
        let old = self.pods[id]
        guard old != pod else { return }
        if let old {
            self.podNames[old.revision]?.remove(id)
            if self.podNames[old.revision]?.isEmpty ?? false { self.podNames[old.revision] = nil }
            touched.insert(old.revision)
        }
        self.pods[id] = pod
        guard let pod else { return }
        self.podNames[pod.revision, default: []].insert(id)
        touched.insert(pod.revision)
    }

    private mutating func number(of revision: ObjectID) -> ClusterID {
        if let known = self.numbers[revision] { return known }
        let number = ClusterID(index: self.clusters.count)
        self.numbers[revision] = number
        self.clusters.append(nil)
        return number
    }

    // MARK: Clusters

    private mutating func rebuild(_ revisions: Set<ObjectID>) -> Bool {
        var hasChanged = false
        for revision in revisions {
            let facts = self.settings[revision].map { self.facts(of: revision, $0) }
            guard facts != self.facts[revision] else { continue }
            self.facts[revision] = facts
            let number = self.number(of: revision)
            self.clusters[number.index] = facts.map { Self.cluster(of: revision, number, $0) }
            hasChanged = true
        }
        return hasChanged
    }

    private func facts(of revision: ObjectID, _ settings: Settings) -> Facts {
        let pods = (self.podNames[revision] ?? []).sorted().compactMap { self.pods[$0] }.filter(\.mayTakeRequests)
        return Facts(
            concurrencyMax: settings.concurrencyMax,
            speaksHTTP2: settings.speaksHTTP2 || pods.contains { $0.speaksHTTP2 },
            endpoints: pods.map { ClusterEndpoint(address: $0.address, isHealthy: $0.isReady) }
        )
    }

    /// As callers' proxies have it, but that each pod in it may be asked whether it takes connections.
    private static func cluster(of revision: ObjectID, _ number: ClusterID, _ facts: Facts) -> Cluster {
        Cluster(
            id: number,
            name: revision.description,
            discovery: .endpoints(facts.endpoints),
            connectTimeout: Self.connectTimeout,
            idleTimeout: Self.idleTimeout,
            httpVersion: facts.speaksHTTP2 ? .http2 : .http1,
            panicThreshold: 0,
            activation: RevisionActivation(
                revision: revision,
                concurrencyMax: facts.concurrencyMax,
                asksPods: true
            )
        )
    }
}
