internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
package import Logging
internal import SwiftProtobuf
internal import Synchronization
package import TrafficEngine
internal import XDSAPI

/// Keeps a proxy's configuration up to date from a control plane.
///
/// While the control plane is away the last good configuration stays; attempts to reach it go on for ever, with
/// growing, jittered waits.
package final class ADSClient: Sendable {
    package struct Configuration: Sendable {
        package var access: ControlPlaneAccess
        package var node: NodeIdentity
        /// Where the last good configuration is stored; `nil`: nowhere.
        package var store: LastGoodStore?
        /// How long the control plane may keep a starting proxy waiting until what is stored is used.
        package var storeLimit: Duration = .seconds(5)
        /// How long a first configuration may wait for parts that it refers to.
        package var startLimit: Duration = .seconds(5)
        /// How long an empty first answer after a reconnect is doubted.
        package var emptinessLimit: Duration = .seconds(30)

        package init(access: ControlPlaneAccess, node: NodeIdentity) {
            self.access = access
            self.node = node
        }
    }

    /// What the proxy is told; states arrive one after the other, and of several that wait only the last.
    package struct Handlers: Sendable {
        package var state: @Sendable (ProxyState) async -> Void
        /// Updates of the name table, each against the one before it; the first, which may be empty, against nothing.
        package var names: @Sendable (NameTableUpdate) async -> Void

        package init(
            state: @escaping @Sendable (ProxyState) async -> Void,
            names: @escaping @Sendable (NameTableUpdate) async -> Void
        ) {
            self.state = state
            self.names = names
        }
    }

    /// Where the configuration in force came from.
    package enum Origin: Hashable, Sendable {
        case none
        /// Stored at this time (seconds since 1970), because the control plane was away.
        case disk(Double)
        case controlPlane
    }

    private typealias Message = Envoy_Service_Discovery_V3_DiscoveryRequest

    private let configuration: Configuration
    private let handlers: Handlers
    private let logger: Logger
    private let session: Mutex<Session>
    private let ready = Mutex(false)
    private let source = Mutex(Origin.none)
    private let states: (stream: AsyncStream<ProxyState>, continuation: AsyncStream<ProxyState>.Continuation)
    private let names = NameTableMailbox()
    let health = Mutex(HealthReporting())
    private let saves: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)

    package init(configuration: Configuration, handlers: Handlers, logger: Logger) {
        self.configuration = configuration
        self.session = Mutex(Session(workload: OwnWorkload(nodeID: configuration.node.id)))
        self.handlers = handlers
        self.logger = logger
        self.states = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.saves = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether a first configuration is in force.
    package var isReady: Bool { self.ready.withLock { $0 } }

    package var origin: Origin { self.source.withLock { $0 } }

    package var isConnected: Bool { self.session.withLock { $0.isConnected } }

    /// The resources as they came.
    package var received: ReceivedResources { self.session.withLock { $0.builder.received } }

    package var counts: [ResourceKind: UpdateCounts] { self.session.withLock { $0.counts } }

    /// Runs until it is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await state in self.states.stream {
                    await self.handlers.state(state)
                    self.ready.withLock { $0 = true }
                }
            }
            group.addTask { await self.names.run { await self.handlers.names($0) } }
            if let store = self.configuration.store {
                group.addTask { await self.save(to: store) }
                group.addTask { await self.restore(from: store) }
            }
            group.addTask { await self.connectForever() }
            await group.waitForAll()
        }
    }

    private func connectForever() async {
        var backOff = BackOff(seed: UInt64.random(in: 0 ... .max))
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            var reason = "the control plane ended the stream"
            do { try await self.converse() } catch { reason = words(error) }
            self.session.withLock { $0.disconnected() }
            if Task.isCancelled { return }
            if ContinuousClock.now - start > .seconds(10) {
                backOff.reset()
                failures = 0
            }
            // Once, then now and then: an outage shall not fill the log.
            if failures % 16 == 0 {
                self.logger.warning(
                    "control plane unreachable, keeping the last good configuration",
                    metadata: [
                        "address": "\(self.configuration.access.address)", "reason": "\(reason)",
                    ]
                )
            }
            failures += 1
            // Cancellation is seen by the loop.
            try? await Task.sleep(for: backOff.next())
        }
    }

    /// One stream, from its first to its last message.
    private func converse() async throws {
        try await withGRPCClient(transport: self.configuration.access.transport()) { client in
            try await self.stream(Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client(wrapping: client))
        }
    }

    private func stream(
        _ client: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client<HTTP2ClientTransport.Posix>
    ) async throws {
        var options = CallOptions.defaults
        options.waitForReady = false
        // A whole mesh may come in one message; it is bounded all the same.
        options.maxResponseMessageBytes = 256 << 20
        let requests = AsyncStream<Outgoing>.makeStream(bufferingPolicy: .bufferingOldest(1024))
        defer { requests.continuation.finish() }
        let metadata = self.configuration.access.metadata()
        try await client.streamAggregatedResources(metadata: metadata, options: options) { writer in
            for await outgoing in requests.stream {
                switch outgoing {
                case .request(let request): try await writer.write(self.message(request))
                case .health(let report): try await writer.write(report.wireMessage)
                }
            }
        } onResponse: { response in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let actions = self.take { $0.connected() }
                self.perform(actions, requests.continuation)
                self.connectHealth(requests.continuation)
                group.addTask { try await self.watchClock(requests.continuation) }
                group.addTask {
                    for try await message in response.messages {
                        let actions = self.take { $0.received(message) }
                        self.perform(actions, requests.continuation)
                    }
                    throw CancellationError()  // ends the group
                }
                do { try await group.waitForAll() } catch is CancellationError {}
                group.cancelAll()
            }
        }
    }

    /// What becomes due on a stream by time alone.
    private func watchClock(_ requests: AsyncStream<Outgoing>.Continuation) async throws {
        try await Task.sleep(for: self.configuration.startLimit)
        if let state = self.session.withLock({ $0.startAnyway() }) {
            self.logger.warning("starting with an incomplete configuration")
            self.source.withLock { $0 = .controlPlane }
            self.states.continuation.yield(state)
        }
        let rest = self.configuration.emptinessLimit - self.configuration.startLimit
        if rest > .zero { try await Task.sleep(for: rest) }
        self.perform(self.take { $0.emptinessLasted() }, requests)
    }

    /// Tells the session something. Updates of names go on in the order in which the session makes them, whoever told
    /// it: each is made against the one before.
    private func take(_ event: (inout Session) -> Session.Actions) -> Session.Actions {
        self.session.withLock { session in
            let actions = event(&session)
            if let names = actions.names { self.names.put(names) }
            return actions
        }
    }

    private func perform(
        _ actions: Session.Actions,
        _ requests: AsyncStream<Outgoing>.Continuation
    ) {
        for error in actions.errors {
            self.logger.warning("configuration refused, its last good version stays", metadata: ["reason": "\(error)"])
        }
        for request in actions.requests { requests.yield(.request(request)) }
        if let state = actions.state {
            self.source.withLock { $0 = .controlPlane }
            self.states.continuation.yield(state)
        }
        if actions.state != nil || actions.names != nil { self.saves.continuation.yield() }
    }

    /// Stores each configuration that is in force, at most once in a second.
    private func save(to store: LastGoodStore) async {
        var saidThatItFails = false
        for await _ in self.saves.stream {
            let now = Google_Protobuf_Timestamp(date: Date()).timeIntervalSince1970
            // Packing a large mesh takes a while, in which updates go on: not under the lock.
            let responses = self.session.withLock { $0 }.lastGood
            do {
                try store.write(LastGoodStore.Content(responses: responses, stored: now))
                saidThatItFails = false
            } catch {
                if !saidThatItFails {
                    self.logger.warning("configuration not stored", metadata: ["reason": "\(error)"])
                }
                saidThatItFails = true
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }

    /// Uses what is stored if the control plane says nothing for too long.
    private func restore(from store: LastGoodStore) async {
        do {
            try await Task.sleep(for: self.configuration.storeLimit)
            guard let content = try store.read() else { return }
            var taken: Session.Actions?
            while taken == nil {
                // A stream that is open may bring something any moment; one that breaks brings nothing.
                let (isStarted, isConnected) = self.session.withLock { ($0.isStarted, $0.isConnected) }
                if isStarted { return }
                // A session that has started meanwhile restores nothing.
                if !isConnected { taken = self.take { $0.restore(content.responses) } }
                if taken == nil { try await Task.sleep(for: .seconds(1)) }
            }
            guard let actions = taken else { return }
            for error in actions.errors {
                self.logger.warning("stored configuration partly refused", metadata: ["reason": "\(error)"])
            }
            guard let state = actions.state else { return }
            self.logger.warning("control plane unreachable, using the stored configuration")
            self.source.withLock { $0 = .disk(content.stored) }
            self.states.continuation.yield(state)
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("stored configuration not used", metadata: ["reason": "\(error)"])
        }
    }

    private func message(_ request: SubscriptionMachine.Request) -> Message {
        .with {
            $0.typeURL = request.kind.typeURL
            $0.versionInfo = request.version
            $0.responseNonce = request.nonce
            $0.resourceNames = request.names
            if request.carriesNode { $0.node = self.configuration.node.message }
            if let error = request.error {
                $0.errorDetail.code = 3  // INVALID_ARGUMENT
                $0.errorDetail.message = error
            }
        }
    }
}
