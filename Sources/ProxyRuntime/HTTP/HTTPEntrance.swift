internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Where a connection that speaks HTTP enters, in plain or out of TLS.
enum HTTPEntrance {
    /// The handler that serves the connection; `facts.negotiatedProtocol` says what ALPN settled.
    static func handler(
        worker: Worker,
        manager: HTTPConnectionManager,
        facts: ClientFacts
    ) -> any ChannelHandler {
        switch manager.codec {
        case .http1: return ServerConnection(worker: worker, manager: manager, facts: facts)
        case .http2: return HTTP2ServerConnection(worker: worker, manager: manager, facts: facts)
        case .automatic:
            switch facts.negotiatedProtocol.flatMap(MeshALPN.content(negotiated:)) {
            case .http2: return HTTP2ServerConnection(worker: worker, manager: manager, facts: facts)
            case .http1: return ServerConnection(worker: worker, manager: manager, facts: facts)
            case .bytes, nil: return PrefaceHandler(worker: worker, manager: manager, facts: facts)
            }
        }
    }
}
