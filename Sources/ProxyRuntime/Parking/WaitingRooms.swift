internal import MeshModel
internal import NIOCore
internal import Synchronization
internal import TrafficEngine

/// The waiting rooms of all revisions that clusters stand for, and that of the pod that the proxy is in.
final class WaitingRooms: Sendable {
    /// A pod may call its own revision.
    private struct Key: Hashable {
        var revision: ObjectID
        var side: RevisionActivation.Side

        init(_ activation: RevisionActivation) {
            self.revision = activation.revision
            self.side = activation.side
        }
    }

    private struct State {
        var rooms: [Key: WaitingRoom] = [:]
        /// What the rooms have been told of.
        var ways: [Key: RevisionWays] = [:]
        /// Requests whose clients left rooms that are no more.
        var leftCount = 0
    }

    private let waitingMax: Int
    private let reporter: (any ActivationReporting)?
    private let state = Mutex(State())

    /// `waitingMax`: how many requests of one revision may wait.
    init(waitingMax: Int, reporter: (any ActivationReporting)?) {
        self.waitingMax = waitingMax
        self.reporter = reporter
    }

    /// The revision's room, made on the loop that first knows of it; `nil`: the cluster stands for none, or cannot count.
    func room(of cluster: Cluster, on loop: any EventLoop) -> WaitingRoom? {
        guard let activation = cluster.activation, Self.canCount(cluster, activation) else { return nil }
        return self.state.withLock { state in
            if let room = state.rooms[Key(activation)] { return room }
            let room = WaitingRoom(
                activation.revision,
                activation.side,
                waitingMax: self.waitingMax,
                reporter: self.reporter,
                loop: loop
            )
            state.rooms[Key(activation)] = room
            return room
        }
    }

    /// All loops have this state now: who gets a place finds its pod, whichever loop it is on. Of many revisions few change
    /// from one state to the next: the rooms of the others are left alone.
    func use(_ state: ProxyState) {
        var revisions: [Key: RevisionWays] = [:]
        for case .some(let cluster) in state.clusters {
            guard let activation = cluster.activation, Self.canCount(cluster, activation) else { continue }
            revisions[Key(activation), default: RevisionWays()].add(cluster, activation)
        }
        let (known, gone, told) = self.state.withLock { [revisions] state in
            let gone = state.rooms.filter { revisions[$0.key] == nil }
            for (revision, room) in gone {
                state.rooms[revision] = nil
                state.leftCount += room.statistics.left
            }
            let told = state.ways
            state.ways = revisions
            return (state.rooms, gone, told)
        }
        for room in gone.values { room.close() }
        // Only pods ask who has reported a request.
        let reporters = known.keys.contains { $0.side == .pod } ? Self.reporters(state) : []
        for (key, room) in known {
            guard let ways = revisions[key] else { continue }
            // A pod's own room has to know activators, too, which are others' pods.
            if key.side == .callers, told[key]?.isSame(as: ways) ?? false { continue }
            room.use(ways, reporters: reporters)
        }
    }

    /// Callers have to know the pods; one that counts for itself need not know its address.
    private static func canCount(_ cluster: Cluster, _ activation: RevisionActivation) -> Bool {
        switch (activation.side, cluster.discovery) {
        case (.pod, _), (.callers, .endpoints): true
        case (.callers, .dns), (.callers, .originalDestination): false
        }
    }

    private static func reporters(_ state: ProxyState) -> Set<IPAddress> {
        var addresses: Set<IPAddress> = []
        for case .some(let cluster) in state.clusters where cluster.isReporter {
            guard case .endpoints(let endpoints) = cluster.discovery else { continue }
            addresses.formUnion(endpoints.map(\.address.ip))
        }
        return addresses
    }

    /// No loop takes anything after this.
    func stop() { for (_, room) in self.all { room.stop() } }

    private var all: [Key: WaitingRoom] { self.state.withLock { $0.rooms } }

    func report() { for (_, room) in self.all { room.report() } }

    /// What happened, by `namespace/name` of the revision, and `namespace/name/pod` for the pod itself; and how many clients
    /// left rooms that are no more.
    var statistics: (rooms: [String: ActivationStatistics], leftCount: Int) {
        let (rooms, leftCount) = self.state.withLock { ($0.rooms, $0.leftCount) }
        let statistics = rooms.reduce(into: [String: ActivationStatistics]()) { statistics, entry in
            let name =
                switch entry.key.side {
                case .callers: entry.key.revision.description
                case .pod: "\(entry.key.revision)/pod"
                }
            statistics[name] = entry.value.statistics
        }
        return (statistics, leftCount)
    }
}
