internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import TrafficEngine

/// Waits behind a TLS handler for the handshake, checks who the peer is and hands the connection on.
///
/// What is put in its place gets every byte: the library passes on none before it has said that the handshake is done.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler, TimerTarget {
    typealias InboundIn = ByteBuffer

    struct Peer {
        var negotiatedProtocol: String?
        var identity: PeerIdentity?
        var version: NIOSSL.TLSVersion?
    }

    enum Outcome {
        case established(Peer)
        case timedOut
        /// `wasRefused`: what we found wrong with the peer's certificate, if that was it.
        case failed(PeerRefusal.Kind?, detail: String)
    }

    /// What takes this handler's place.
    struct Successor {
        /// `nil`: `whenInstalled` puts others there.
        var handler: (any ChannelHandler)?
        /// Called when it is in the pipeline, before its first byte.
        var whenInstalled: (() -> Void)?
    }

    /// Keeps the deadline; `nil`: the loop does, for the few connections that are on no worker's.
    private let worker: Worker?
    private let tls: NIOSSLHandler
    private let check: PeerCheck?
    private let requiresCertificate: Bool
    /// The name that the peer's certificate must stand for, where that is checked.
    private let expectedName: String?
    /// Whether the peer's identity comes with the certificate itself.
    private let encodesCertificate: Bool
    private let timeout: Duration
    private var deadline = Tick.never
    /// Returns what comes in its place; called once.
    private var completion: ((Outcome) -> Successor?)?
    private var timer: TimerWheel.ID = -1
    private var expiry: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(
        worker: Worker?,
        tls: NIOSSLHandler,
        check: PeerCheck?,
        requiresCertificate: Bool,
        expectedName: String? = nil,
        encodesCertificate: Bool = false,
        timeout: Duration,
        completion: @escaping (Outcome) -> Successor?
    ) {
        self.worker = worker
        self.tls = tls
        self.check = check
        self.requiresCertificate = requiresCertificate
        self.expectedName = expectedName
        self.encodesCertificate = encodesCertificate
        self.timeout = timeout
        self.completion = completion
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if let worker = self.worker {
            self.deadline = Tick.after(self.timeout, now: worker.wheel.now)
            self.timer = worker.wheel.add(self)
            worker.wheel.arm(self.timer, by: self.deadline)
        } else {
            self.expiry = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.timeout)) {
                if let context = self.context { self.fail(context, .timedOut) }
            }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.stopTimer()
        self.context = nil
        self.completion = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event, self.completion != nil {
            self.handshakeCompleted(context, negotiated)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func handshakeCompleted(_ context: ChannelHandlerContext, _ negotiated: String?) {
        var peer = Peer(negotiatedProtocol: negotiated, version: self.tls.tlsVersion)
        if let check = self.check {
            guard let certificate = self.tls.peerCertificate else {
                if self.requiresCertificate {
                    let text = HandshakeFailure.text(verification: "peer showed no certificate")
                    self.fail(context, .failed(.noCertificate, detail: text))
                } else {
                    self.hand(context, over: peer)
                }
                return
            }
            let reading =
                self.worker?.certificates.reading(of: certificate) ?? CertificateReading(certificate)
            if let refusal = check.refusal(of: certificate, reading, expectedName: self.expectedName) {
                let text = HandshakeFailure.text(verification: refusal.message)
                self.fail(context, .failed(refusal.kind, detail: text))
                return
            }
            var identity = reading.identity
            if self.encodesCertificate { identity.certificate = CertificateText.pem(certificate) }
            peer.identity = identity
        }
        self.hand(context, over: peer)
    }

    private func hand(_ context: ChannelHandlerContext, over peer: Peer) {
        self.stopTimer()
        guard let successor = self.finish(.established(peer)) else {
            context.close(promise: nil)
            return
        }
        do {
            if let handler = successor.handler {
                try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
            }
        } catch {
            context.close(promise: nil)
            return
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        successor.whenInstalled?()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Only a peer that was refused is read here: what it still sends is nobody's.
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard self.completion != nil else { return }
        let certificate = self.tls.peerCertificate
        if HandshakeFailure.isMissingCertificate(error) {
            let text = HandshakeFailure.text(verification: "peer showed no certificate")
            self.fail(context, .failed(.noCertificate, detail: text))
        } else if HandshakeFailure.isVerification(error), let check = self.check {
            let text = HandshakeFailure.text(verification: check.chainRefusal(of: certificate))
            self.fail(context, .failed(.error, detail: text))
        } else {
            self.fail(context, .failed(nil, detail: HandshakeFailure.text(error)))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if self.completion != nil {
            let text = "TLS_error:|connection_closed_during_handshake:TLS_error_end"
            _ = self.finish(.failed(nil, detail: text))
        }
        context.fireChannelInactive()
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.deadline else { return self.deadline }
        if let context = self.context { self.fail(context, .timedOut) }
        return nil
    }

    private func fail(_ context: ChannelHandlerContext, _ outcome: Outcome) {
        _ = self.finish(outcome)
        context.close(promise: nil)
    }

    private func finish(_ outcome: Outcome) -> Successor? {
        self.stopTimer()
        let completion = self.completion
        self.completion = nil
        return completion?(outcome)
    }

    private func stopTimer() {
        self.expiry?.cancel()
        self.expiry = nil
        guard self.timer >= 0 else { return }
        self.worker?.wheel.remove(self.timer)
        self.timer = -1
    }
}
