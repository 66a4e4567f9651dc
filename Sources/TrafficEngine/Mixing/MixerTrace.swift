/// A request that nobody has sent to this proxy, as it would come in; where bytes are passed on, its connection alone counts.
package struct MixerTraceQuestion: Sendable {
    package var request: OwnedRequest
    package var connection: ConnectionFacts
    package var peer: PeerIdentity?
    /// It comes from the workload beside the proxy, not to it.
    package var isOutbound: Bool

    package init(
        request: OwnedRequest,
        connection: ConnectionFacts,
        peer: PeerIdentity? = nil,
        isOutbound: Bool = false
    ) {
        self.request = request
        self.connection = connection
        self.peer = peer
        self.isOutbound = isOutbound
    }
}

/// What a proxy would ask its policy engine about a request, and what it has kept of earlier answers.
package struct MixerTrace: Sendable {
    /// What one event loop has kept: connections come to any of them.
    package struct Loop: Sendable {
        package var findings: [CheckFinding]
        package var quotas: [QuotaFinding]

        package init(findings: [CheckFinding] = [], quotas: [QuotaFinding] = []) {
            self.findings = findings
            self.quotas = quotas
        }
    }

    package var listener: String
    package var policy: MixerPolicy
    /// Bytes are passed on, and no request is seen in them.
    package var isConnection: Bool
    /// What the engine would be told.
    package var attributes: [String: MixerValue]
    /// What it is charged if it may pass.
    package var charges: [QuotaCharge]
    /// Where the engine can be reached.
    package var endpoints: [NetworkAddress]
    package var loops: [Loop]

    package init(
        listener: String,
        policy: MixerPolicy,
        isConnection: Bool = false,
        attributes: [String: MixerValue],
        charges: [QuotaCharge],
        endpoints: [NetworkAddress],
        loops: [Loop]
    ) {
        self.listener = listener
        self.policy = policy
        self.isConnection = isConnection
        self.attributes = attributes
        self.charges = charges
        self.endpoints = endpoints
        self.loops = loops
    }
}

/// Why there is nothing to trace.
package enum MixerTraceObstacle: Error, Hashable, Sendable, CustomStringConvertible {
    case noListener(NetworkAddress)
    case noChain(listener: String)
    case noEngine(listener: String)

    package var description: String {
        switch self {
        case .noListener(let address): "no listener of this proxy takes connections to \(address)"
        case .noChain(let listener): "no filter chain of \(listener) fits the connection, which would be closed"
        case .noEngine(let listener): "\(listener) asks and tells no policy engine"
        }
    }
}

extension ProxyState {
    /// What a request or connection asks the policy engine by, and at which listener.
    package func mixer(
        for question: MixerTraceQuestion
    ) throws(MixerTraceObstacle) -> (listener: String, terminal: FilterChain.Terminal, policy: MixerPolicy) {
        let destination = question.connection.destination
        let found =
            question.isOutbound
            ? ListenerTable(self.listeners).listener(for: destination)
                ?? self.listeners.first { $0.name == "virtualOutbound" }
            // Led to a sidecar, every inbound connection comes to this one.
            : self.listeners.first { $0.name == "virtualInbound" }
                ?? self.listeners.first { $0.isBound && $0.address.port == destination.port }
        guard let found else { throw .noListener(destination) }
        guard let chain = found.chain(for: question.connection) else { throw .noChain(listener: found.name) }
        let policy =
            switch chain.terminal {
            case .http(let manager): manager.mixer
            case .tcp(let proxy): proxy.mixer
            }
        guard let policy else { throw .noEngine(listener: found.name) }
        return (found.name, chain.terminal, policy)
    }

    /// The service that a connection leaves for; of several by weight the one that most do.
    package func service(of connection: ConnectionFacts, through proxy: TCPProxy) -> MixerService? {
        if proxy.usesServerNameAsCluster, let name = connection.serverName {
            return self.clusters.lazy.compactMap { $0 }.first { $0.name == name }?.service
        }
        return proxy.clusters.max { $0.weight < $1.weight }.flatMap { self.cluster($0.cluster)?.service }
    }

    /// The service that a request leaves for, by its route; `nil`: none is known, or the proxy answers by itself.
    package func service(of request: RequestView, in manager: HTTPConnectionManager) -> MixerService? {
        let table: RouteTable? =
            switch manager.routes {
            case .inline(let table): table
            case .named(let name): self.routeTables[name]
            }
        guard case .forward(let forward) = table?.route(request)?.action, let first = forward.clusters.first else {
            return nil
        }
        return self.cluster(first.cluster)?.service
    }
}
