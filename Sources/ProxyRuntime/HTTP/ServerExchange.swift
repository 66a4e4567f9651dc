internal import Logging
internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// What is known of a client's connection before its first byte is looked at.
struct ClientFacts {
    var listener: ListenerCounters
    var source: NetworkAddress?
    /// Where the client wanted to go: the original destination, or the address that it was accepted on.
    var destination: NetworkAddress
    /// The connection was redirected here; if not, `destination` is the address of our own listener.
    var isRedirected = false
    /// The name that the proxy gave the address `destination` to; where that leads is looked up.
    var mintedName: String?
    var serverName: String?
    /// What DNS-bound egress says; `nil`: it is off, or the connection is not one of the workload's own.
    var egress: EgressGrant?
    /// TLS was taken off here.
    var isTLS = false
    /// Whose certificate the client showed.
    var peer: PeerIdentity?
    /// The mesh's own authority says so, and not one that a gateway trusts for its clients.
    var isPeerOfMesh = false
    /// What ALPN settled.
    var negotiatedProtocol: String?
    /// The URI of our own certificate that the client was shown.
    var localURI: String?
    /// As logs show it: `TLSv1.3`; `nil` without TLS.
    var tlsVersion: StaticString?
    /// Where the connection came in, to find the same place in a later state.
    var entrance: Entrance?
}

/// A filter chain by what stays the same when its settings change.
final class Entrance {
    let listener: String
    let chain: String
    let match: FilterChainMatch

    init(_ listener: Listener, _ chain: FilterChain) {
        self.listener = listener.name
        self.chain = chain.name
        self.match = chain.match
    }
}

/// One request of a client and its answer: finds the route, makes attempts at endpoints, keeps deadlines, counts, logs.
///
/// How request and answer travel to and from the client is up to a subclass: `ServerConnection` is an HTTP/1 connection,
/// which has one exchange at a time, `ServerStream` is a stream of HTTP/2. One object is used for exchange after
/// exchange. What may happen to an exchange is decided by `ExchangeMachine`.
class ServerExchange: TimerTarget {
    /// A request's body is kept for another attempt, and read ahead of an upstream, up to this size.
    static let bodyBytesMax = 64 * 1024

    final let worker: Worker
    final let manager: HTTPConnectionManager
    final let counters: HTTPCounters
    final let facts: ClientFacts
    final let logs: [AccessLog]
    final var scanner: RequestScanner
    final var machine = ExchangeMachine()
    final var exchange = Exchange()
    final var upstream: (any UpstreamCarrier)?
    /// Where the exchange waits for a connection or an address.
    final var waitingPool: EndpointPool?
    final var waitingCluster: ClusterRuntime?
    /// The policies that the request waits for.
    final var gate: PolicyGate?
    /// Asks the policy engine; `nil`: the chain does not have it asked.
    final var mixing: MixerGate?
    /// Whose policies hold: those of new connections, so that a policy holds for all requests once it is received.
    final var policing: HTTPConnectionManager
    /// The state in which they were looked up; a chain may be older than its connection.
    private var policingRevision = -1
    /// New connections could not come in this way any more.
    private(set) final var isOutdated = false
    /// The route table of the state with this number, so that a name is looked up once per state.
    final var routes: RouteTable?
    final var routesRevision = -1
    final var captured = CapturedValues()
    final var capturedResponse = CapturedValues()
    /// The host that the request is for, as received.
    final var authority: [UInt8] = []
    /// Made for requests that bring none.
    final var requestID: [UInt8] = []
    final var timer: TimerWheel.ID = -1
    final var deadlines = Deadlines()

    /// Ticks at which something must have happened.
    struct Deadlines {
        var head = Tick.never
        var idle = Tick.never
        var route = Tick.never
        var attempt = Tick.never
        var close = Tick.never

        var next: Int { min(self.head, self.idle, self.route, self.attempt, self.close) }
    }

    /// The connection's name in an address line, made when first needed.
    private(set) final lazy var sourceText: [UInt8] = Array((self.facts.source?.ip.description ?? "").utf8)

    /// What `x-forwarded-client-cert` says of the peer.
    private(set) final lazy var certificateElement: [UInt8] = self.makeCertificateElement()

    init(worker: Worker, manager: HTTPConnectionManager, facts: ClientFacts) {
        self.worker = worker
        self.manager = manager
        self.policing = manager
        self.facts = facts
        self.counters = worker.httpCounters(manager.statPrefix)
        self.logs = worker.accessLogs(manager.accessLogs)
        self.scanner = RequestScanner(headBytesMax: manager.headBytesMax)
    }

    /// Looks for the chain's policies if the state has changed since.
    final func refreshPolicies() {
        guard self.policingRevision != self.worker.stateNumber else { return }
        self.policingRevision = self.worker.stateNumber
        guard let entrance = self.facts.entrance else { return }
        guard let current = self.worker.manager(at: entrance) else {
            self.isOutdated = true
            return self.entranceHasGone()
        }
        guard current !== self.policing else { return }
        self.policing = current
        self.gate = nil
        self.mixing = nil
    }

    /// The connection is to end with the requests that it has.
    func entranceHasGone() {}

    // MARK: The way to the client

    /// More of an answer can be written now.
    var isWritable: Bool { false }

    /// The client speaks HTTP/2.
    var isHTTP2: Bool { false }

    /// Bodies go to the client without the chunks of HTTP/1: it knows none (HTTP/1.0), or frames them itself (HTTP/2).
    var wantsPlainBody: Bool { false }

    /// Whether somebody still listens.
    var isEnded: Bool { true }

    /// The request waits for a place in a pod from now on.
    func placeAwaited() {}

    /// Takes what came of a body right behind its head, into `exchange.head`; `false`: it was refused.
    func takeBodyBehindHead(_ bytes: UnsafeRawBufferPointer) -> Bool { true }

    /// The upstream can take more of the request.
    func resumeReading() {}

    /// The head of an answer, in the form of HTTP/1 without its empty line. An HTTP/1 client gets it in `out`, with the
    /// first part of the body behind it.
    func putResponseHead(
        _ framing: BodyReader.Framing,
        room: Int,
        into out: inout ByteBuffer,
        _ body: (inout ByteWriter) -> Void
    ) {}

    /// An interim answer; `head` is a whole head in the form of HTTP/1.
    func writeInterim(_ head: ByteBuffer) {}

    /// A part of an answer's body, and of its head where `putResponseHead` has written that into the same buffer.
    func write(_ buffer: ByteBuffer, isLast: Bool) {}

    /// The lines of trailers; the answer ends with them.
    func writeTrailers(_ lines: ByteBuffer) {}

    func flush() {}

    /// As `flush`, once the event that is being handled is over.
    func flushLater() {}

    /// The last byte of the answer is written.
    func answerEnded(_ next: ExchangeMachine.OnResponseEnded) {}

    /// The client has part of an answer and cannot get the rest.
    func cutOff(_ reason: EndReason) {}

    /// Both sides have agreed to pass bytes as they come.
    func tunnelStarted() {}

    /// The endpoint has ended its side of a tunnel.
    func tunnelEnded() {}

    /// The exchange was a tunnel, and is over.
    func tunnelClosed(isReset: Bool) {}

    /// The request's host as it goes to the endpoint, without a port.
    final var hostName: String {
        let host = self.exchange.forward?.hostRewrite ?? self.authority
        return String(decoding: self.withoutPort(host), as: UTF8.self)
    }

    // MARK: Deadlines

    /// A byte of the exchange has moved.
    @inline(__always)
    final func touch() {
        if let timeout = self.manager.streamIdleTimeout {
            self.deadlines.idle = Tick.after(timeout, now: self.worker.wheel.now)
        }
    }

    final func armTimer() {
        let next = self.deadlines.next
        if next != Tick.never, self.timer >= 0 { self.worker.wheel.arm(self.timer, by: next) }
    }

    func timerFired(tick: Int) -> Int? {
        if self.exchange.isActive { self.exchangeTimerFired(tick) }
        let next = self.deadlines.next
        return next == Tick.never || self.isEnded ? nil : next
    }

    /// The client has gone away, or its stream was reset.
    final func clientGone(_ reason: EndReason) {
        guard self.exchange.isActive else { return }
        if self.exchange.reason == .completed, !self.exchange.isTunnel { self.exchange.reason = reason }
        self.detach()
        self.finishExchange()
    }
}
