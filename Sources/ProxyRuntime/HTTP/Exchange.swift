internal import NIOCore
internal import TrafficEngine

/// What a connection keeps about the exchange that is under way; one value, reused.
struct Exchange {
    var isActive = false
    var reason = EndReason.completed
    var isHead = false
    var minorVersion: UInt8 = 1
    var awaitsUpgrade = false
    var isTunnel = false
    /// The client wants to be told of failures in gRPC's way.
    var isGRPC = false
    /// How the request's body comes, and so how it is held.
    var bodyForm = BodyForm.none
    /// What ends a chunked or HTTP/2 request.
    var trailers = ByteBuffer()
    /// Of the attempt whose answer is forwarded.
    var upstreamIsHTTP2 = false
    /// The request's head while policies wait; empty: it does not wait.
    var parked = ByteBuffer()
    var effects: PolicyEffects?
    /// What the answer says to a script of another origin, whoever gives it.
    var crossOrigin: HeaderEdits?
    /// What policies had made of the request before `crossOrigin` became part of it; for one that is routed again.
    var unmarkedEffects: PolicyEffects?
    /// The policy engine has let the request pass, and changed it, so that it is routed again; `nil` for all others.
    var directive: Directive?
    /// Of the part of the request that decides where it goes.
    var hash: UInt64?
    /// What the client gives the request (`grpc-timeout`), from its arrival on.
    var ownTimeout: Duration?
    /// It has waited for the policy engine, and may wait for an endpoint once.
    var mayAwaitEndpoint = false
    /// More than `reason` says, for the log.
    var details: String?
    var upstreamFailure: String?
    var skipsEmptyLine = true
    /// Wall clock for the log, monotonic for durations.
    var startMilliseconds = 0
    var startNanoseconds: UInt64 = 0
    var attemptNanoseconds: UInt64 = 0
    var responseNanoseconds: UInt64 = 0
    var status = 0
    var bytesReceived = 0
    /// Of the response's body.
    var bytesSent = 0
    /// Of anything sent to the client since the exchange began.
    var bytesWritten = 0
    var headBytesWritten = 0
    var serviceMilliseconds: Int?
    var route: Route?
    var forward: ForwardAction?
    var clusterIndex = 0
    var cluster: ClusterRuntime?
    var clusterName: String?
    var pool: EndpointPool?
    /// The balancer and the counters know of an attempt.
    var attemptIsCounted = false
    /// It counts against the cluster's limit of retries under way.
    var isRetrying = false
    var upstreamLocal: NetworkAddress?
    /// The request as it is sent on, with the part of its body that came in the same read.
    var head = ByteBuffer()
    /// So many bytes of it are the head.
    var headCount = 0
    /// `head` tells the proxy of the endpoint who sends the request.
    var tellsSource = false
    /// Body bytes that came later, kept until they are sent, or for another attempt.
    var heldBody = ByteBuffer()
    var retryTask: Scheduled<Void>?
    /// The request waits for a pod of a revision, or has a place in one; `nil` for all others.
    var visit: RoomVisit?

    /// How a request's body comes from the client.
    enum BodyForm {
        case none
        /// As long as `content-length` says.
        case length
        /// In chunks of HTTP/1, passed on as they are.
        case chunks
        /// In parts without framing, out of HTTP/2.
        case parts
    }

    /// What the engine has said of a request that is routed again.
    struct Directive {
        /// The one that the engine was asked about.
        var route: Route?
        var changesHost: Bool
        var responseHeaders: HeaderEdits
    }

    /// Makes it ready for the next request; the buffer of the head is kept.
    mutating func reset() {
        let head = self.head
        self = Exchange()
        self.head = head
    }
}
