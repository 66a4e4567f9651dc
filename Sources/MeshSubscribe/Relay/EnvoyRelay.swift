internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import Logging
internal import SwiftProtobuf
internal import Synchronization
package import TrafficEngine
internal import XDSAPI

/// Stands between an Envoy in the same pod and the control plane: Envoy needs neither certificate nor token, and the
/// workload's key goes no further than a socket of the pod.
package final class EnvoyRelay: Sendable {
    private typealias Request = RelayMachine.Request
    private typealias Response = RelayMachine.Response

    private struct State: Sendable {
        var machine: RelayMachine
        /// The current stream of Envoy, and of the control plane.
        var envoy: AsyncStream<Response>.Continuation?
        var control: AsyncStream<Request>.Continuation?
        var envoyStreams = 0
        /// Whether the control plane's stream was ended from here.
        var isRestarting = false
    }

    private let access: ControlPlaneAccess
    private let socket: String
    private let takeNames: @Sendable (NameTableUpdate) async -> Void
    private let store: LastGoodStore?
    private let storeLimit: Duration
    private let logger: Logger
    private let state: Mutex<State>
    private let names = NameTableMailbox()
    private let saves = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - node: who the proxy is.
    ///   - access: of the control plane.
    ///   - socket: path of the Unix domain socket that is made for Envoy.
    ///   - store: where what Envoy has accepted is kept for a restart without control plane; `nil`: nowhere.
    ///   - storeLimit: how long the control plane may keep a starting Envoy waiting until what is stored is used.
    ///   - names: gets updates of the name table, for DNS.
    ///   - logger: of the relay.
    package init(
        node: NodeIdentity,
        access: ControlPlaneAccess,
        socket: String,
        store: LastGoodStore? = nil,
        storeLimit: Duration = .seconds(5),
        names: @escaping @Sendable (NameTableUpdate) async -> Void,
        logger: Logger
    ) {
        self.access = access
        self.socket = socket
        self.store = store
        self.storeLimit = storeLimit
        self.takeNames = names
        self.logger = logger
        self.state = Mutex(State(machine: RelayMachine(node: node)))
    }

    package var isConnected: Bool { self.state.withLock { $0.control != nil } }

    private var hasSpoken: Bool { self.state.withLock { $0.machine.hasSpoken } }

    /// The workload's secrets, by name; Envoy is sent those that it asked for.
    package func update(_ secrets: [String: TLSSecret]) {
        do {
            let packed = try Dictionary(
                uniqueKeysWithValues: secrets.map { name, secret in
                    (name, try Google_Protobuf_Any(message: SecretMessage.make(name, secret)))
                }
            )
            self.act { $0.ownSecretsChanged(packed) }
        } catch {
            self.logger.error("secrets not packed", metadata: ["reason": "\(error)"])
        }
    }

    /// Serves Envoy and speaks to the control plane until it is cancelled.
    package func run() async throws {
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .unixDomainSocket(path: self.socket),
                transportSecurity: .plaintext,
                config: .defaults { $0.rpc.maxRequestPayloadSize = 16 << 20 }
            ),
            services: [Service(relay: self)]
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await withTaskCancellationHandler {
                        try await server.serve()
                    } onCancel: {
                        server.beginGracefulShutdown()
                    }
                } catch  where Task.isCancelled { return }
            }
            group.addTask { await self.connectForever() }
            group.addTask { await self.names.run { await self.takeNames($0) } }
            if let store = self.store {
                // One task, which does not end before it is cancelled: the first that ends, ends all.
                group.addTask {
                    await withDiscardingTaskGroup { inner in
                        inner.addTask { await self.save(to: store) }
                        inner.addTask { await self.restore(from: store) }
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    // MARK: Envoy

    private struct Service: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.ServiceProtocol {
        let relay: EnvoyRelay

        func streamAggregatedResources(
            request: StreamingServerRequest<Request>,
            context: ServerContext
        ) async throws -> StreamingServerResponse<Response> {
            StreamingServerResponse { writer in
                try await self.relay.serve(request.messages) { try await writer.write($0) }
                return [:]
            }
        }

        func deltaAggregatedResources(
            request: StreamingServerRequest<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest>,
            context: ServerContext
        ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse> {
            throw RPCError(code: .unimplemented, message: "delta xDS is not offered; use the state-of-the-world stream")
        }
    }

    /// One stream of Envoy. There is one Envoy, so a new stream takes the place of an older one.
    private func serve(
        _ requests: RPCAsyncSequence<Request, any Error>,
        _ write: @escaping @Sendable (Response) async throws -> Void
    ) async throws {
        let responses = AsyncStream<Response>.makeStream(bufferingPolicy: .bufferingOldest(1024))
        let number = self.state.withLock { state in
            state.envoy?.finish()
            state.envoy = responses.continuation
            state.envoyStreams += 1
            if state.machine.envoyConnected(), let control = state.control {
                control.finish()
                state.isRestarting = true
            }
            return state.envoyStreams
        }
        defer {
            self.state.withLock { if $0.envoyStreams == number { $0.envoy = nil } }
            responses.continuation.finish()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await response in responses.stream { try await write(response) } }
            group.addTask { for try await request in requests { self.act { $0.requested(request) } } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Tells the machine and does what it says. The order on a stream is that of the machine's answers.
    private func act(_ event: (inout RelayMachine) -> RelayMachine.Actions) {
        let (refusals, hasNews) = self.state.withLock { state in
            let actions = event(&state.machine)
            for response in actions.toEnvoy { state.envoy?.yield(response) }
            for request in actions.toControlPlane { state.control?.yield(request) }
            if let names = actions.names { self.names.put(names) }
            return (actions.refusals, actions.hasNews)
        }
        if hasNews { self.saves.continuation.yield() }
        for refusal in refusals {
            self.logger.warning(
                "configuration refused, its last good version stays",
                metadata: ["reason": "\(refusal)"]
            )
        }
    }

    // MARK: The last good configuration

    /// Stores what Envoy has accepted, at most once in a second.
    private func save(to store: LastGoodStore) async {
        var saidThatItFails = false
        for await _ in self.saves.stream {
            let now = Google_Protobuf_Timestamp(date: Date()).timeIntervalSince1970
            // Packing a large mesh takes a while, in which updates go on: not under the lock.
            let machine = self.state.withLock { $0.machine }
            if let responses = machine.lastGood {
                do {
                    try store.write(LastGoodStore.Content(responses: responses, stored: now))
                    saidThatItFails = false
                } catch {
                    if !saidThatItFails {
                        self.logger.warning("configuration not stored", metadata: ["reason": "\(error)"])
                    }
                    saidThatItFails = true
                }
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }

    /// Gives Envoy what is stored if the control plane says nothing for too long.
    private func restore(from store: LastGoodStore) async {
        do {
            try await Task.sleep(for: self.storeLimit)
            guard let content = try store.read() else { return }
            // A stream that is open may bring something any moment; one that breaks brings nothing.
            while self.isConnected, !self.hasSpoken { try await Task.sleep(for: .seconds(1)) }
            if self.hasSpoken { return }
            self.logger.warning("control plane unreachable, using the stored configuration")
            self.act { $0.restore(content.responses) }
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("stored configuration not used", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Control plane

    private func connectForever() async {
        var backOff = BackOff(seed: UInt64.random(in: 0 ... .max))
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            var reason = "the stream ended"
            do { try await self.converse() } catch { reason = words(error) }
            let isRestart = self.state.withLock { state in
                defer { state.isRestarting = false }
                state.control?.finish()
                state.control = nil
                state.machine.controlPlaneLost()
                return state.isRestarting
            }
            if Task.isCancelled { return }
            if isRestart { continue }
            if ContinuousClock.now - start > .seconds(10) {
                backOff.reset()
                failures = 0
            }
            // Once, then now and then: an outage shall not fill the log.
            if failures % 16 == 0 {
                self.logger.warning(
                    "control plane unreachable, keeping the last good configuration",
                    metadata: ["address": "\(self.access.address)", "reason": "\(reason)"]
                )
            }
            failures += 1
            // Cancellation is seen by the loop.
            try? await Task.sleep(for: backOff.next())
        }
    }

    private func converse() async throws {
        var options = CallOptions.defaults
        options.waitForReady = false
        options.maxResponseMessageBytes = 256 << 20
        let requests = AsyncStream<Request>.makeStream(bufferingPolicy: .bufferingOldest(1024))
        defer { requests.continuation.finish() }
        try await withGRPCClient(transport: self.access.transport()) { [options] grpc in
            let client = Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client(wrapping: grpc)
            let metadata = self.access.metadata()
            try await client.streamAggregatedResources(metadata: metadata, options: options) { writer in
                for await request in requests.stream { try await writer.write(request) }
            } onResponse: { response in
                self.state.withLock { $0.control = requests.continuation }
                self.act { $0.controlPlaneConnected() }
                for try await message in response.messages { self.act { $0.responded(message) } }
            }
        }
    }
}
