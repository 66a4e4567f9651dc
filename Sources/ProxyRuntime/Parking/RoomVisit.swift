internal import TrafficEngine

/// What a request for a revision keeps: its turn while it waits for a pod, and its place in one. Other requests have no visit.
final class RoomVisit {
    /// A turn.
    struct Ticket {
        var room: WaitingRoom
        var id: HeldRequests<WaitingRoom.Waiter>.ID
        var sinceNanoseconds: UInt64
    }

    /// A place in a pod; `nil`: the revision has gone, and the request goes where the balancer says.
    struct Place {
        var room: WaitingRoom
        var inPod: PodPlaces.Place?
    }

    /// It waits.
    var ticket: Ticket?
    /// It counts there until it has ended.
    var place: Place?
    /// Pods that took no connection for it.
    var refusals = 0
    /// The tick at which it has waited too long.
    var deadline = Tick.never
    /// How long it may wait.
    var waitMax: Duration = .seconds(300)
    var waitedNanoseconds: UInt64 = 0
    /// The client wants to know how long it waited.
    var tellsWait = false
    /// Somebody who can be believed has reported it to the autoscaler, on its way here.
    var isProxied = false
    /// Whoever it is sent to is told that it has been reported.
    var isMarked = false
    /// It is Kubernetes that asks how the pod is, and nobody's request.
    var isProbe = false
}
