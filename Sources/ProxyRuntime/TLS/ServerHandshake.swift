internal import Logging
internal import NIOCore
internal import NIOSSL
internal import TrafficEngine

/// TLS on connections that come in.
enum ServerHandshake {
    /// As long as a client may take (Envoy's `transport_socket_connect_timeout` in Istio's listeners).
    private static let timeout = Duration.seconds(15)

    /// The TLS handler and the one that waits behind it; the chain's own handler takes the latter's place.
    static func handlers(
        worker: Worker,
        chain: FilterChain,
        server: ServerTLSContext,
        facts: ClientFacts
    ) -> [any ChannelHandler] {
        let tls = NIOSSLServerHandler(context: server.context)
        let handshake = HandshakeHandler(
            worker: worker,
            tls: tls,
            check: server.check,
            requiresCertificate: server.requiresCertificate,
            encodesCertificate: chain.tellsCertificate,
            timeout: Self.timeout
        ) { outcome in
            switch outcome {
            case .established(let peer):
                facts.listener.counts.tls.handshakes += 1
                if peer.identity == nil { facts.listener.counts.tls.noCertificate += 1 }
                var facts = facts
                facts.isTLS = true
                facts.peer = peer.identity
                facts.isPeerOfMesh = peer.identity != nil && chain.tls?.isOfMesh ?? false
                facts.negotiatedProtocol = peer.negotiatedProtocol
                facts.tlsVersion = peer.version?.logName
                facts.localURI = server.localURIs.first
                return HandshakeHandler.Successor(
                    handler: Acceptor.terminalHandler(worker: worker, chain: chain, facts: facts)
                )
            case .timedOut:
                facts.listener.counts.tls.timeouts += 1
                let text = "TLS_error:|handshake_timed_out:TLS_error_end"
                Self.log(.downstreamTLSFailed, text, worker: worker, chain: chain, facts: facts)
                return nil
            case .failed(let kind, let detail):
                facts.listener.counts.tls.count(kind)
                Self.log(.downstreamTLSFailed, detail, worker: worker, chain: chain, facts: facts)
                return nil
            }
        }
        return [tls, handshake]
    }

    /// The chain has no certificate to show: a connection cannot even begin.
    static func refuse(_ fault: TLSFault, worker: Worker, chain: FilterChain, facts: ClientFacts) {
        facts.listener.counts.tls.noSecret += 1
        Self.log(fault.reason, fault.logText, worker: worker, chain: chain, facts: facts)
    }

    /// A line in the chain's access logs: a connection that never became a request is seen nowhere else.
    private static func log(
        _ reason: EndReason,
        _ detail: String,
        worker: Worker,
        chain: FilterChain,
        facts: ClientFacts
    ) {
        worker.logger.debug(
            "TLS refused",
            metadata: ["chain": "\(chain.name)", "reason": "\(reason.rawValue)", "detail": "\(detail)"]
        )
        let configurations: [AccessLogConfiguration]
        switch chain.terminal {
        case .http(let manager): configurations = manager.accessLogs
        case .tcp(let proxy): configurations = proxy.accessLogs
        }
        let logs = worker.accessLogs(configurations)
        if logs.isEmpty { return }
        var record = LogRecord(startMilliseconds: WallClock.milliseconds())
        record.reason = reason
        record.downstreamLocal = facts.destination
        record.downstreamRemote = facts.source
        record.serverName = facts.serverName
        record.downstreamFailure = detail
        let none = CapturedValues()
        for log in logs {
            log.sink.append { line in log.format.write(record, request: none, response: none, to: &line) }
        }
    }
}

extension FilterChain {
    /// Whether a header will hold the client's certificate.
    fileprivate var tellsCertificate: Bool {
        guard case .http(let manager) = self.terminal else { return false }
        return manager.clientCertificateHeader.addsCertificate || manager.clientCertificateHeader.addsChain
    }
}

extension NIOSSL.TLSVersion {
    /// As Envoy writes it.
    var logName: StaticString {
        switch self {
        case .tlsv1: "TLSv1"
        case .tlsv11: "TLSv1.1"
        case .tlsv12: "TLSv1.2"
        case .tlsv13: "TLSv1.3"
        }
    }
}
