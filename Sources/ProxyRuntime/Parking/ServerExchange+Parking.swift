internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Requests for revisions wait until a pod has room for them.
extension ServerExchange {
    /// Asks for, and tells, how long a request waited, in milliseconds.
    static let activationHeader = Array("x-lateen-activation-ms".utf8)

    /// A pod that takes no connection is left for another, so often; after that the route's retries decide.
    private static let refusalsMax = 20

    /// Where an attempt goes.
    enum Placement {
        case pool(EndpointPool)
        /// The revision has gone, or its pods are not counted.
        case anywhere
        /// The request waits, or has been answered.
        case none
    }

    /// A place in a pod of the cluster's, one for all attempts of the request. A retry goes to another pod if one has room.
    func place(in room: WaitingRoom, of cluster: ClusterRuntime, avoiding previous: EndpointPool?) -> Placement {
        let visit = self.exchange.visit ?? RoomVisit()
        self.exchange.visit = visit
        if visit.isProbe { return .anywhere }
        // The cluster may stand for another revision by now.
        if let place = visit.place, place.room !== room {
            visit.place = nil
            place.room.finished(place.inPod, isProxied: visit.isProxied)
        }
        if visit.place == nil {
            let preferred = cluster.preferredPod(hash: self.exchange.hash)
            let action = room.enter(
                self,
                by: cluster.cluster.id,
                preferring: preferred,
                isProxied: visit.isProxied
            )
            switch action {
            case .go(let inPod): visit.place = RoomVisit.Place(room: room, inPod: inPod)
            case .wait(let id):
                self.keepTicket(visit, room, id)
                return .none
            case .refuse:
                self.replyRoomFull()
                return .none
            }
        }
        // A pod's own proxy has one way to it.
        guard room.side == .callers, let inPod = visit.place?.inPod else { return .anywhere }
        let pool = cluster.pool(of: inPod)
        if let pool, pool !== previous { return .pool(pool) }
        if let other = room.move(from: inPod, by: cluster.cluster.id) {
            visit.place?.inPod = other
            if let pool = cluster.pool(of: other) { return .pool(pool) }
        } else if let pool {
            return .pool(pool)
        }
        // Pods have just changed, or this loop leaves these out for a while.
        return self.waitsAgain(visit, cluster) ? .none : .anywhere
    }

    /// A pod took no connection, so that nothing of the request has left: it goes to another one, or waits for one, whatever
    /// the route says of retries. `false`: it does not.
    func leavesPod(after failure: ExchangeMachine.AttemptFailure) -> Bool {
        guard failure.reason == .connectFailed || failure.reason == .connectTimedOut, self.machine.isReplayable,
            self.machine.response == .none, let visit = self.exchange.visit,
            visit.refusals < Self.refusalsMax, let place = visit.place, let inPod = place.inPod,
            let cluster = self.exchange.cluster, cluster.room === place.room, place.room.side == .callers
        else { return false }
        visit.refusals += 1
        place.room.refused(inPod, by: cluster.cluster.id)
        guard let other = place.room.move(from: inPod, by: cluster.cluster.id) else {
            return self.waitsAgain(visit, cluster)
        }
        visit.place?.inPod = other
        self.startAttempt(freshOnly: false, avoiding: nil)
        return true
    }

    /// Gives the place up for another. `false`: as many wait as may, or the revision has gone.
    private func waitsAgain(_ visit: RoomVisit, _ cluster: ClusterRuntime) -> Bool {
        guard let place = visit.place, let inPod = place.inPod,
            let id = place.room.enterAgain(
                self,
                from: inPod,
                by: cluster.cluster.id,
                isProxied: visit.isProxied
            )
        else { return false }
        visit.place = nil
        self.keepTicket(visit, place.room, id)
        return true
    }

    private func keepTicket(_ visit: RoomVisit, _ room: WaitingRoom, _ id: HeldRequests<WaitingRoom.Waiter>.ID) {
        if visit.deadline == Tick.never { visit.deadline = Tick.after(visit.waitMax, now: self.worker.wheel.now) }
        let now = NIODeadline.now().uptimeNanoseconds
        visit.ticket = RoomVisit.Ticket(room: room, id: id, sinceNanoseconds: now)
        self.deadlines.attempt = visit.deadline
        self.armTimer()
        self.placeAwaited()
    }

    /// The wait is over.
    func placeGiven(
        by room: WaitingRoom,
        _ id: HeldRequests<WaitingRoom.Waiter>.ID,
        _ inPod: PodPlaces.Place?,
        isProxied: Bool
    ) {
        guard self.exchange.isActive, let visit = self.exchange.visit, let ticket = visit.ticket, ticket.id == id,
            ticket.room === room
        else { return room.finished(inPod, isProxied: isProxied) }
        visit.ticket = nil
        visit.place = RoomVisit.Place(room: room, inPod: inPod)
        self.deadlines.attempt = Tick.never
        let waited = NIODeadline.now().uptimeNanoseconds &- ticket.sinceNanoseconds
        visit.waitedNanoseconds += waited
        room.served(afterNanoseconds: waited)
        self.startAttempt(freshOnly: false, avoiding: nil)
        self.worker.flushWaiting()
    }

    /// The request ends, or its attempt does, before it could go: its time has run out, or its client wants it no more.
    func leaveRoom(isLate: Bool = false) {
        guard let visit = self.exchange.visit, let ticket = visit.ticket else { return }
        visit.ticket = nil
        ticket.room.left(ticket.id, isLate: isLate)
    }

    /// The exchange is over.
    func giveBackPlace() {
        guard let visit = self.exchange.visit else { return }
        self.leaveRoom()
        guard let place = visit.place else { return }
        visit.place = nil
        place.room.finished(place.inPod, isProxied: visit.isProxied)
    }

    private func replyRoomFull() {
        self.exchange.cluster?.counts.requestsOverflowed += 1
        var edits = self.exchange.route?.responseHeaders ?? HeaderEdits()
        edits.set.append(HeaderEdits.Entry(name: Array("retry-after".utf8), value: [UInt8(ascii: "1")]))
        var body = Array("as many requests as may wait for a pod of ".utf8)
        body += self.authority + [Bytes.lineFeed]
        self.reply(status: 503, .overflow, body, edits: edits)
    }
}
