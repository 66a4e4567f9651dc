import MeshModel
import Synchronization
import TrafficEngine
import WorkloadIdentity

/// Joins what the control plane configures with who the workload is: the runtime is told one state of both, anew when
/// either changes.
final class StateJoin: Sendable {
    private struct Parts: Sendable {
        var configuration: ProxyState?
        var identity: WorkloadCertificate?
        var revision: UInt64 = 0
    }

    private let parts = Mutex(Parts())
    private let changes: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let arrival: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)

    init() {
        self.changes = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.arrival = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var identity: WorkloadCertificate? { self.parts.withLock { $0.identity } }

    /// What the control plane sent besides the workload's own.
    var otherSecrets: [String: TLSSecret] { self.parts.withLock { $0.configuration?.secrets ?? [:] } }

    /// The workload's own secrets, under the names by which configurations call them.
    var ownSecrets: [String: TLSSecret] { Self.secrets(self.identity) }

    func configured(_ state: ProxyState) {
        self.parts.withLock { $0.configuration = state }
        self.changes.continuation.yield()
    }

    func identified(_ certificate: WorkloadCertificate) {
        self.parts.withLock { $0.identity = certificate }
        self.changes.continuation.yield()
        self.arrival.continuation.finish()
    }

    /// Waits until there is an identity, at most so long.
    func waitForIdentity(_ limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.arrival.stream {} }
            // It ends early only with the group.
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Hands out each joined state until it is cancelled; of several that wait only the last.
    func run(_ apply: (ProxyState) async -> Void) async {
        for await _ in self.changes.stream {
            let joined = self.parts.withLock { parts -> ProxyState? in
                guard var state = parts.configuration else { return nil }
                parts.revision += 1
                state.revision = parts.revision
                state.secrets.merge(Self.secrets(parts.identity)) { $1 }
                return state
            }
            if let joined { await apply(joined) }
        }
    }

    private static func secrets(_ identity: WorkloadCertificate?) -> [String: TLSSecret] {
        guard let credential = identity?.credential else { return [:] }
        return [
            TLSSecret.ownCertificate: .certificate(credential),
            TLSSecret.meshRoots: .validation(roots: credential.roots, revocationList: []),
        ]
    }
}
