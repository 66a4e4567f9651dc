internal import MeshModel
internal import TrafficEngine

/// What a request for a revision says, and what is said to whoever it is sent to.
extension ServerExchange {
    /// What Envoy says about the time that a request has left.
    private static let timeHeader = Array("x-envoy-expected-rq-timeout-ms".utf8)
    private static let agentHeader = Array("user-agent".utf8)
    /// In lower case, as all that bytes are compared with.
    private static let healthTarget: StaticString = "/grpc.health.v1.health/check"
    /// How Kubernetes begins to say who it is.
    private static let probeAgent = Array("kube-probe/".utf8)

    /// The request is about to ask for a place in the room.
    func visit(_ room: WaitingRoom, _ bytes: UnsafeRawBufferPointer) -> RoomVisit {
        let visit = RoomVisit()
        switch room.side {
        case .callers:
            visit.tellsWait = self.withView(bytes) { $0.has(Self.activationHeader) }
            visit.isMarked = room.reports
            if let timeout = self.exchange.forward?.timeout { visit.waitMax = timeout }
            if let timeout = self.exchange.ownTimeout { visit.waitMax = min(visit.waitMax, timeout) }
        case .pod:
            visit.isProxied = self.hasBeenReported(bytes, to: room)
            visit.isProbe = self.isProbe(bytes)
            if let time = self.expectedTime(bytes) { visit.waitMax = min(visit.waitMax, time) }
        }
        return visit
    }

    /// The mark of whoever has reported the request: it counts from proxies of the mesh, and from activators, which have no
    /// certificate. A gateway takes it from clients outside; anybody else who writes it has the request counted twice.
    private func hasBeenReported(_ bytes: UnsafeRawBufferPointer, to room: WaitingRoom) -> Bool {
        guard let line = self.scanner.fields.reportedLines.first else { return false }
        let value = self.slice(bytes, self.scanner.fields.fields[line].value)
        guard Bytes.equal(value, "activator") else { return false }
        if self.facts.isPeerOfMesh { return true }
        guard !self.facts.isTLS, let source = self.facts.source else { return false }
        return room.isReporter(source.ip)
    }

    /// Kubernetes has no certificate of the mesh. Its questions would keep a pod for ever that nobody needs, and one that
    /// waits for a long request would have the pod taken for dead. They are GETs, or gRPC's question for health.
    private func isProbe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !self.facts.isTLS else { return false }
        let asksHealth = Bytes.equal(self.slice(bytes, self.scanner.target), Self.healthTarget)
        guard self.scanner.kind == .get || asksHealth else { return false }
        return self.withView(bytes) { view in
            guard let agent = view.first(Self.agentHeader) else { return false }
            return agent.starts(with: Self.probeAgent)
        }
    }

    /// What the client says about the time that its request has left, if it does.
    func expectedTime(_ bytes: UnsafeRawBufferPointer) -> Duration? {
        guard self.scanner.fields.envoyLines.first != nil else { return nil }
        return self.withView(bytes) { view in
            // Nine digits are eleven days; what is longer, or no number, limits nothing.
            guard let text = view.first(Self.timeHeader), (1...9).contains(text.count),
                text.allSatisfy({ Bytes.isDigit($0) })
            else { return nil }
            let milliseconds = text.reduce(0) { $0 * 10 + Int($1 - 48) }
            return milliseconds > 0 ? .milliseconds(milliseconds) : nil
        }
    }
}
