internal import MeshModel
internal import NIOCore
internal import Synchronization
internal import TrafficEngine

/// The waiting rooms of all revisions that clusters stand for.
final class WaitingRooms: Sendable {
    private let reporter: (any ActivationReporting)?
    private let rooms = Mutex<[ObjectID: WaitingRoom]>([:])

    init(reporter: (any ActivationReporting)?) { self.reporter = reporter }

    /// The revision's room, made on the loop that first knows of it.
    func room(for revision: ObjectID, on loop: any EventLoop) -> WaitingRoom {
        self.rooms.withLock { rooms in
            if let room = rooms[revision] { return room }
            let room = WaitingRoom(revision, reporter: self.reporter, loop: loop)
            rooms[revision] = room
            return room
        }
    }

    /// All loops have this state now: who gets a place finds its pod, whichever loop it is on.
    func use(_ state: ProxyState) {
        var revisions: [ObjectID: RevisionWays] = [:]
        for case .some(let cluster) in state.clusters {
            guard let activation = cluster.activation, case .endpoints = cluster.discovery else { continue }
            revisions[activation.revision, default: RevisionWays()].add(cluster, activation)
        }
        let (known, gone) = self.rooms.withLock { rooms in
            let gone = rooms.filter { revisions[$0.key] == nil }
            for revision in gone.keys { rooms[revision] = nil }
            return (rooms, gone)
        }
        for room in gone.values { room.close() }
        for (revision, room) in known { if let ways = revisions[revision] { room.use(ways) } }
    }

    /// No loop takes anything after this.
    func stop() { for room in self.all { room.stop() } }

    private var all: [WaitingRoom] { self.rooms.withLock { $0.values.map(\.self) } }

    func report() { for room in self.all { room.report() } }

    /// What happened, by `namespace/name` of the revision.
    var statistics: [String: ActivationStatistics] {
        self.all.reduce(into: [:]) { $0[$1.revision.description] = $1.statistics }
    }
}
