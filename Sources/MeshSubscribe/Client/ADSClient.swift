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
        package var host: String
        package var port: Int
        package var node: NodeIdentity
        /// How long a first configuration may wait for parts that it refers to.
        package var startLimit: Duration = .seconds(5)
        /// How long an empty first answer after a reconnect is doubted.
        package var emptinessLimit: Duration = .seconds(30)

        package init(host: String, port: Int, node: NodeIdentity) {
            self.host = host
            self.port = port
            self.node = node
        }
    }

    /// What the proxy is told; states arrive one after the other, and of several that wait only the last.
    package struct Handlers: Sendable {
        package var state: @Sendable (ProxyState) async -> Void
        package var nameTable: @Sendable ([NameTableEntry]) async -> Void

        package init(
            state: @escaping @Sendable (ProxyState) async -> Void,
            nameTable: @escaping @Sendable ([NameTableEntry]) async -> Void
        ) {
            self.state = state
            self.nameTable = nameTable
        }
    }

    private typealias Message = Envoy_Service_Discovery_V3_DiscoveryRequest

    private let configuration: Configuration
    private let handlers: Handlers
    private let logger: Logger
    private let session = Mutex(Session())
    private let ready = Mutex(false)
    private let states: (stream: AsyncStream<ProxyState>, continuation: AsyncStream<ProxyState>.Continuation)
    private let tables:
        (stream: AsyncStream<[NameTableEntry]>, continuation: AsyncStream<[NameTableEntry]>.Continuation)

    package init(configuration: Configuration, handlers: Handlers, logger: Logger) {
        self.configuration = configuration
        self.handlers = handlers
        self.logger = logger
        self.states = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.tables = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether a first configuration is in force.
    package var isReady: Bool { self.ready.withLock { $0 } }

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
            group.addTask {
                for await table in self.tables.stream { await self.handlers.nameTable(table) }
            }
            group.addTask { await self.connectForever() }
            await group.next()
            group.cancelAll()
        }
    }

    private func connectForever() async {
        var backOff = BackOff(seed: UInt64.random(in: 0 ... .max))
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            var reason = "the control plane ended the stream"
            do { try await self.converse() } catch { reason = Self.words(error) }
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
                        "address": "\(self.configuration.host):\(self.configuration.port)", "reason": "\(reason)",
                    ]
                )
            }
            failures += 1
            // Cancellation is seen by the loop.
            try? await Task.sleep(for: backOff.next())
        }
    }

    private static func words(_ error: any Error) -> String {
        if let error = error as? RPCError { return "\(error.code): \(error.message)" }
        return "\(error)"
    }

    /// One stream, from its first to its last message.
    private func converse() async throws {
        let transport = try HTTP2ClientTransport.Posix(
            target: .dns(host: self.configuration.host, port: self.configuration.port),
            transportSecurity: .plaintext,
            config: .defaults {
                $0.backoff = .init(initial: .milliseconds(100), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
                // A control plane that vanished without a word is noticed in 40 s.
                $0.connection.keepalive = .init(time: .seconds(30), timeout: .seconds(10), allowWithoutCalls: false)
            }
        )
        try await withGRPCClient(transport: transport) { client in
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
        let requests = AsyncStream<SubscriptionMachine.Request>.makeStream(bufferingPolicy: .bufferingOldest(1024))
        defer { requests.continuation.finish() }
        try await client.streamAggregatedResources(options: options) { writer in
            for await request in requests.stream { try await writer.write(self.message(request)) }
        } onResponse: { response in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let actions = self.session.withLock { $0.connected() }
                self.perform(actions, requests.continuation)
                group.addTask { try await self.watchClock(requests.continuation) }
                group.addTask {
                    for try await message in response.messages {
                        let actions = self.session.withLock { $0.received(message) }
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
    private func watchClock(_ requests: AsyncStream<SubscriptionMachine.Request>.Continuation) async throws {
        try await Task.sleep(for: self.configuration.startLimit)
        if let state = self.session.withLock({ $0.startAnyway() }) {
            self.logger.warning("starting with an incomplete configuration")
            self.states.continuation.yield(state)
        }
        let rest = self.configuration.emptinessLimit - self.configuration.startLimit
        if rest > .zero { try await Task.sleep(for: rest) }
        self.perform(self.session.withLock { $0.emptinessLasted() }, requests)
    }

    private func perform(
        _ actions: Session.Actions,
        _ requests: AsyncStream<SubscriptionMachine.Request>.Continuation
    ) {
        for error in actions.errors {
            self.logger.warning("configuration refused, its last good version stays", metadata: ["reason": "\(error)"])
        }
        for request in actions.requests { requests.yield(request) }
        if let state = actions.state { self.states.continuation.yield(state) }
        if let table = actions.nameTable { self.tables.continuation.yield(table) }
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
