internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Whether the names that a workload looked up let a connection be (DNS-bound egress): asked when it comes, and again
/// when its TLS hello shows for which host it is.
struct EgressWatch {
    private let worker: Worker
    private let facts: ClientFacts
    /// Set while the client's first bytes may still be a TLS hello whose name has to be seen.
    private var hello: HelloWatch?
    /// The name in that hello.
    private var helloName: String?

    enum OnBytes {
        /// Nothing may go on yet.
        case hold
        case pass(ByteBuffer)
        case end(EndReason)
    }

    init(worker: Worker, facts: ClientFacts) {
        self.worker = worker
        self.facts = facts
    }

    /// The name that the client asks for in TLS, here or at the other end.
    var serverName: String? { self.facts.serverName ?? self.helloName }

    /// The connection has come.
    ///
    /// - Returns: why it may not be.
    mutating func begin() -> EndReason? {
        guard let egress = self.facts.egress else { return nil }
        if let fault = egress.connectionFault(serverName: self.facts.serverName) {
            guard egress.isAudit else { return fault }
            self.worker.countUnbound(fault, name: self.name(blockedFor: fault), address: self.facts.destination)
        }
        // A listener of one address does not look into hellos, and must not wait for them: servers may speak first.
        if self.facts.serverName == nil { self.hello = HelloWatch() }
        return nil
    }

    /// Bytes have come from the client.
    mutating func received(_ bytes: ByteBuffer) -> OnBytes {
        guard self.hello != nil, let egress = self.facts.egress else { return .pass(bytes) }
        switch self.hello?.received(bytes) {
        case .hold, nil: return .hold
        case .tooLarge:
            self.facts.listener.counts.hellosTooLarge += 1
            return .end(.downstreamProtocolError)
        case .pass(let all, let name):
            self.hello = nil
            guard let name else { return .pass(all) }
            self.helloName = name
            guard let fault = egress.connectionFault(serverName: name) else { return .pass(all) }
            guard egress.isAudit else { return .end(fault) }
            self.worker.countUnbound(fault, name: name, address: self.facts.destination)
            return .pass(all)
        }
    }

    /// The client will send no more: half a hello is none, and the server shall see it as it is.
    mutating func takeHeld() -> ByteBuffer {
        defer { self.hello = nil }
        return self.hello?.takeHeld() ?? ByteBuffer()
    }

    /// The name that the workload last looked up for the address, or the server name that it had no right to; empty:
    /// there is none.
    func name(blockedFor reason: EndReason) -> String {
        if reason == .blockedUnresolvedName, let name = self.serverName { return name }
        return self.worker.options.nameOfAddress(self.facts.destination.ip) ?? ""
    }
}
