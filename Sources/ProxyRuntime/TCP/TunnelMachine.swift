package import TrafficEngine

/// Two connections that are one stream each way: who may still send, and when it is over.
///
/// Each direction ends by itself (facts #57): a client that has sent all may still wait for the answer.
package struct TunnelMachine {
    private enum State {
        case connecting(clientHasEnded: Bool)
        case open(clientHasEnded: Bool, serverHasEnded: Bool)
        case closed
    }

    private var state = State.connecting(clientHasEnded: false)

    package init() {}

    package var isOpen: Bool {
        if case .open = self.state { true } else { false }
    }

    package enum OnConnected: Hashable {
        case pass
        /// The client has ended its side already: send what it sent, then end ours.
        case passAndEndServerSide
        /// The client has gone.
        case closeServer
    }

    package mutating func connected() -> OnConnected {
        switch self.state {
        case .connecting(let clientHasEnded):
            self.state = .open(clientHasEnded: clientHasEnded, serverHasEnded: false)
            return clientHasEnded ? .passAndEndServerSide : .pass
        case .open, .closed: return .closeServer
        }
    }

    package enum OnSideEnded: Hashable {
        case endOtherSide
        /// Both have ended.
        case closeBoth
        case ignore
    }

    package mutating func clientEnded() -> OnSideEnded {
        switch self.state {
        case .connecting:
            self.state = .connecting(clientHasEnded: true)
            return .ignore
        case .open(false, let serverHasEnded):
            self.state = .open(clientHasEnded: true, serverHasEnded: serverHasEnded)
            return serverHasEnded ? .closeBoth : .endOtherSide
        case .open, .closed: return .ignore
        }
    }

    package mutating func serverEnded() -> OnSideEnded {
        switch self.state {
        case .open(let clientHasEnded, false):
            self.state = .open(clientHasEnded: clientHasEnded, serverHasEnded: true)
            return clientHasEnded ? .closeBoth : .endOtherSide
        case .connecting, .open, .closed: return .ignore
        }
    }

    package enum OnClosed: Hashable {
        /// The other side gets what is still on its way, then an orderly end.
        case closeOther(EndReason)
        /// The other side is reset as well.
        case resetOther(EndReason)
        case ignore
    }

    /// One of the two connections is gone.
    package mutating func closed(isClient: Bool, isReset: Bool) -> OnClosed {
        switch self.state {
        case .closed: return .ignore
        case .connecting:
            self.state = .closed
            return .closeOther(isReset ? .downstreamReset : .downstreamClosed)
        case .open:
            self.state = .closed
            if isReset { return .resetOther(isClient ? .downstreamReset : .upstreamReset) }
            return .closeOther(.completed)
        }
    }

    /// The proxy ends it: no connection to an endpoint, idle for too long, shutdown.
    ///
    /// - Returns: `false` if it was over already.
    package mutating func ended() -> Bool {
        if case .closed = self.state { return false }
        self.state = .closed
        return true
    }
}
