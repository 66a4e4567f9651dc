internal import NIOCore
internal import TrafficEngine

/// Requests for revisions wait until a pod has room for them.
extension ServerExchange {
    /// Asks for, and tells, how long a request waited, in milliseconds.
    static let activationHeader = Array("x-lateen-activation-ms".utf8)

    /// As an activator's; the route's timeout is usually shorter, but a client that never ends its request has none.
    private static let waitMax: Duration = .seconds(300)

    /// Whether the attempt may begin. If not, the request waits, or has been answered.
    func hasPlace(in room: WaitingRoom) -> Bool {
        let visit = self.exchange.visit ?? RoomVisit()
        self.exchange.visit = visit
        // One for all attempts of a request, unless the cluster stands for another revision by now.
        if let place = visit.place {
            if place === room { return true }
            visit.place = nil
            place.finished()
        }
        switch room.enter(self) {
        case .go:
            visit.place = room
            return true
        case .wait(let id):
            self.keepTicket(visit, room, id)
            return false
        case .refuse:
            self.replyRoomFull()
            return false
        }
    }

    /// No endpoint after all: they have just gone. Says whether the request waits for new ones.
    func waitsAgain(in room: WaitingRoom) -> Bool {
        guard let visit = self.exchange.visit, visit.place === room, let id = room.enterAgain(self) else {
            return false
        }
        visit.place = nil
        self.keepTicket(visit, room, id)
        return true
    }

    private func keepTicket(_ visit: RoomVisit, _ room: WaitingRoom, _ id: HeldRequests<WaitingRoom.Waiter>.ID) {
        if visit.deadline == Tick.never { visit.deadline = Tick.after(Self.waitMax, now: self.worker.wheel.now) }
        let now = NIODeadline.now().uptimeNanoseconds
        visit.ticket = RoomVisit.Ticket(room: room, id: id, sinceNanoseconds: now)
        self.deadlines.attempt = visit.deadline
        self.armTimer()
    }

    /// The wait is over.
    func placeGiven(by room: WaitingRoom, _ id: HeldRequests<WaitingRoom.Waiter>.ID) {
        guard self.exchange.isActive, let visit = self.exchange.visit, let ticket = visit.ticket, ticket.id == id,
            ticket.room === room
        else { return room.finished() }
        visit.ticket = nil
        visit.place = room
        self.deadlines.attempt = Tick.never
        let waited = NIODeadline.now().uptimeNanoseconds &- ticket.sinceNanoseconds
        visit.waitedNanoseconds += waited
        room.served(afterNanoseconds: waited)
        self.startAttempt(freshOnly: false, avoiding: nil)
        self.worker.flushWaiting()
    }

    /// The request ends, or its attempt does, before it could go.
    func leaveRoom() {
        guard let visit = self.exchange.visit, let ticket = visit.ticket else { return }
        visit.ticket = nil
        ticket.room.left(ticket.id)
    }

    /// The exchange is over.
    func giveBackPlace() {
        guard let visit = self.exchange.visit else { return }
        self.leaveRoom()
        guard let room = visit.place else { return }
        visit.place = nil
        room.finished()
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
