internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import KubernetesAPI
package import Logging
internal import MeshModel
package import RequestReports
internal import ServerlessAPI
internal import SwiftProtobuf
internal import Synchronization

/// A Mixer adapter for the template `authorization`: allows every request, wakes the revision that it is for, and holds
/// the answer until a pod is ready, so that the proxy has somewhere to send it.
package final class KnativeAdapter: Sendable {
    package struct Settings: Sendable {
        /// Under it reports are sent.
        package var name = "knative-adapter"
        /// An answer is used again for so long. It must be shorter than a revision takes to go to zero, or nobody would
        /// be told of the requests that come then.
        package var validDuration: Duration = .seconds(1)
        package var validUseCount: Int32 = 10_000
        /// How long an answer is held while no pod is ready; zero: not at all.
        package var hold: Duration = .seconds(30)

        package init() {}
    }

    /// What happened since the start.
    package struct Counts: Sendable, Hashable {
        package var requests: UInt64 = 0
        package var unknown: UInt64 = 0
        package var held: UInt64 = 0
    }

    private struct State {
        var finder = RevisionFinder()
        var limiter: PokeLimiter
        var held = HeldAnswers<CheckedContinuation<Void, Never>>(countMax: KnativeAdapter.heldMax)
        var counts = Counts()
    }

    /// Answers held at once; more are given without waiting.
    private static let heldMax = 10_000

    private let client: KubernetesClient?
    private let sender: StatSender
    private let settings: Settings
    private let logger: Logger
    private let state: Mutex<State>
    private let start = ContinuousClock.now

    /// `client`: of the API server; without one, services' names are taken for revisions' and no answer is held.
    package init(client: KubernetesClient?, sender: StatSender, settings: Settings, logger: Logger) {
        self.client = client
        self.sender = sender
        self.settings = settings
        self.logger = logger
        self.state = Mutex(State(limiter: PokeLimiter(name: settings.name)))
    }

    package var counts: Counts { self.state.withLock { $0.counts } }

    private var now: Duration { self.start.duration(to: .now) }

    /// Serves until cancelled.
    package func run(host: String, port: Int, onBound: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: host, port: port),
                transportSecurity: .plaintext,
                config: .defaults
            ),
            services: [AdapterService(adapter: self)]
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await server.serve()
                } catch  where Task.isCancelled {
                    // The transport calls it an error to be told to stop.
                    return
                }
            }
            group.addTask { if let port = try await server.listeningAddress?.ipv4?.port { onBound(port) } }
            group.addTask { await self.sender.run() }
            group.addTask { await self.reportRegularly() }
            if let client = self.client {
                group.addTask { await client.reflect(.podAutoscalers) { self.autoscalersChanged($0) } }
                group.addTask { await client.reflect(.knativeServices) { self.servicesChanged($0) } }
            }
            try await withTaskCancellationHandler {
                try await group.waitForAll()
            } onCancel: {
                server.beginGracefulShutdown()
            }
        }
    }

    private func reportRegularly() async {
        while !Task.isCancelled {
            // Cancellation ends the loop.
            try? await Task.sleep(for: .milliseconds(250))
            let now = self.now
            let messages = self.state.withLock { $0.limiter.due(at: now, held: $0.held.counts) }
            for message in messages { self.sender.send(message) }
        }
    }

    // MARK: Requests

    fileprivate func handle(_ action: Authorization_ActionMsg) async -> Authorization_CheckResult {
        let now = self.now
        let (revision, message) = self.state.withLock { state -> (ObjectID?, StatMessage?) in
            state.counts.requests += 1
            let found = state.finder.revision(
                namespace: action.namespace,
                service: action.service,
                property: action.properties["revision"]?.stringValue
            )
            guard let found else {
                state.counts.unknown += 1
                return (nil, nil)
            }
            return (found, state.limiter.requested(found, at: now))
        }
        if let message { self.sender.send(message) }
        if let revision {
            await self.waitUntilReady(revision)
        } else {
            self.logger.debug(
                "no revision for a request",
                metadata: ["service": "\(action.service)", "namespace": "\(action.namespace)"]
            )
        }
        return .with {
            $0.status = .init()
            $0.validDuration = Google_Protobuf_Duration(
                seconds: self.settings.validDuration.components.seconds,
                nanos: Int32(self.settings.validDuration.components.attoseconds / 1_000_000_000)
            )
            $0.validUseCount = self.settings.validUseCount
        }
    }

    private func waitUntilReady(_ revision: ObjectID) async {
        guard self.client != nil, self.settings.hold > .zero else { return }
        // A name that somebody made up never becomes ready.
        let id = self.state.withLock { $0.finder.revisions.contains(revision) ? $0.held.newID() : nil }
        guard let id else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.signal(id, revision) }
            group.addTask {
                // Cancelled when the pod is ready.
                try? await Task.sleep(for: self.settings.hold)
            }
            await group.next()
            self.wake(id, revision)
            group.cancelAll()
        }
    }

    private func signal(_ id: UInt64, _ revision: ObjectID) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isHeld = self.state.withLock { state in
                    // Who is cancelled before is not woken any more.
                    guard !Task.isCancelled, state.held.hold(id, for: revision, continuation) else { return false }
                    state.counts.held += 1
                    return true
                }
                if !isHeld { continuation.resume() }
            }
        } onCancel: {
            self.wake(id, revision)
        }
    }

    private func wake(_ id: UInt64, _ revision: ObjectID) {
        self.state.withLock { $0.held.release(id, of: revision) }?.resume()
    }

    // MARK: Objects

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private func autoscalersChanged(_ change: ObjectChange) {
        let woken = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            func take(_ object: KubernetesObject) -> [CheckedContinuation<Void, Never>] {
                state.finder.revisions.insert(Self.id(object))
                let ready = object.json[path: "status", "actualScale"]?.int ?? 0
                return state.held.changed(Self.id(object), isReady: ready > 0)
            }
            switch change {
            case .replacedAll(let objects):
                state.finder.revisions = []
                state.held.forgetReady()
                return objects.flatMap { take($0) }
            case .added(let object), .modified(let object): return take(object)
            case .deleted(let object):
                state.finder.revisions.remove(Self.id(object))
                return state.held.changed(Self.id(object), isReady: false)
            }
        }
        for continuation in woken { continuation.resume() }
    }

    private func servicesChanged(_ change: ObjectChange) {
        self.state.withLock { state in
            func take(_ object: KubernetesObject) {
                state.finder.latest[Self.id(object)] = object.json[path: "status", "latestReadyRevisionName"]?.string
            }
            switch change {
            case .replacedAll(let objects):
                state.finder.latest = [:]
                for object in objects { take(object) }
            case .added(let object), .modified(let object): take(object)
            case .deleted(let object): state.finder.latest[Self.id(object)] = nil
            }
        }
    }
}

/// The adapter as gRPC knows it.
private struct AdapterService: Authorization_HandleAuthorizationService.SimpleServiceProtocol {
    let adapter: KnativeAdapter

    func handleAuthorization(
        request: Authorization_HandleAuthorizationRequest,
        context: ServerContext
    ) async throws -> Authorization_CheckResult {
        await self.adapter.handle(request.instance.action)
    }
}
