internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Logging
internal import NIOCore
internal import ProxyRuntime
internal import Synchronization
internal import TrafficEngine

/// gRPC clients by endpoint, kept for as long as somebody asks for them; `run` carries their connections.
final class GRPCConnections: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.WrappedChannel>

    private typealias Connection = GRPCConnection

    /// Whether a call was sent.
    final class SentMark: Sendable {
        private let mark = Atomic(false)

        var isSet: Bool { self.mark.load(ordering: .acquiring) }

        func set() { self.mark.store(true, ordering: .releasing) }
    }

    /// Why no endpoint gave an answer.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private typealias Opened = Result<Connection, ServiceConnectionError>

    private enum Slot {
        case opening(waiting: [CheckedContinuation<Opened, Never>])
        case open(Connection, usedAt: ContinuousClock.Instant)
    }

    private struct State {
        var slots: [ServiceEndpoint: Slot] = [:]
    }

    /// Connections that nobody asked for so long are closed.
    private static let idleLimit: Duration = .seconds(300)
    /// For a connection and its handshake.
    private static let connectLimit: Duration = .seconds(5)
    /// Connections that wait to be carried; they do so for a moment only.
    private static let waitingMax = 4096

    private let connector: ServiceConnector
    private let logger: Logger
    private let state = Mutex(State())
    private let opened:
        (
            stream: AsyncStream<(ServiceEndpoint, Connection)>,
            continuation: AsyncStream<(ServiceEndpoint, Connection)>.Continuation
        )

    init(connector: ServiceConnector, logger: Logger) {
        self.connector = connector
        self.logger = logger
        self.opened = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    /// Carries connections until it is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await (endpoint, connection) in self.opened.stream {
                group.addTask {
                    do { try await connection.client.runConnections() } catch {
                        self.logger.debug(
                            "connection ended",
                            metadata: ["address": "\(endpoint.address)", "error": "\(error)"]
                        )
                    }
                    self.forget(connection, to: endpoint)
                }
            }
            group.cancelAll()
        }
    }

    /// The first answer of any endpoint.
    ///
    /// Another is tried only where one did not take the call. One that has been sent may have been taken, though no answer
    /// came: it is sent again only if it may be, for what was asked once must not be charged or counted twice.
    ///
    /// - Parameters:
    ///   - endpoints: in the order in which they are tried.
    ///   - timeout: for all of it.
    ///   - isRepeatable: it does no harm if two endpoints take it.
    ///   - call: marks the call as sent just before it is; that is not looked at if it is repeatable.
    /// - Returns: The answer, or why there is none.
    func first<Response: Sendable>(
        of endpoints: [ServiceEndpoint],
        within timeout: Duration,
        isRepeatable: Bool,
        _ call: (Client, CallOptions, SentMark) async throws -> Response
    ) async -> Result<Response, Failure> {
        let deadline = ContinuousClock.now + timeout
        var failure = Failure(description: "no endpoint could be asked")
        for endpoint in endpoints.prefix(ServiceEndpoint.countMax) {
            // Twice: a connection that was kept may have ended since.
            for _ in 0..<2 {
                let left = deadline - ContinuousClock.now
                guard left > .zero else { return .failure(failure) }
                let lease: Lease
                do { lease = try await self.lease(endpoint, within: left) } catch {
                    failure.description = "\(error)"
                    break
                }
                lease.connection.callBegan()
                defer { lease.connection.callEnded() }
                var options = CallOptions.defaults
                options.timeout = deadline - ContinuousClock.now
                options.waitForReady = false
                options.maxResponseMessageBytes = 1 << 20
                let mark = SentMark()
                do {
                    return .success(try await call(lease.connection.client, options, mark))
                } catch  where Self.wasNotTaken(error) && (isRepeatable || !mark.isSet) {
                    failure.description = "\(endpoint.address): \((error as? RPCError)?.message ?? "\(error)")"
                    self.forget(lease.connection, to: endpoint)
                    if !lease.wasKept { break }
                } catch {
                    return .failure(Failure(description: "\(endpoint.address): \(error)"))
                }
            }
        }
        return .failure(failure)
    }

    /// No server has taken the call: there was none, or the client had been stopped.
    private static func wasNotTaken(_ error: any Error) -> Bool {
        (error as? RPCError)?.code == .unavailable || error is RuntimeError
    }

    // MARK: One endpoint

    /// A connection, and whether it had been opened before.
    private struct Lease {
        var connection: Connection
        var wasKept: Bool
    }

    private enum Decision {
        case use(Connection)
        case wait
        case open(instead: Connection?)
    }

    private func lease(
        _ endpoint: ServiceEndpoint,
        within timeout: Duration
    ) async throws(ServiceConnectionError) -> Lease {
        self.closeIdle()
        let settings = self.connector.settings(of: endpoint)
        switch self.state.withLock({ Self.decide(&$0, endpoint, settings) }) {
        case .use(let connection): return Lease(connection: connection, wasKept: true)
        case .wait:
            // Its end is bounded by whoever opens it.
            let opened = await withCheckedContinuation { continuation in
                self.wait(for: endpoint, continuation)
            }
            return Lease(connection: try opened.get(), wasKept: false)
        case .open(let old):
            old?.retire()
            let opened = await self.open(endpoint, settings, within: min(timeout, Self.connectLimit))
            let waiting = self.state.withLock { Self.settle(&$0, endpoint, opened) }
            for continuation in waiting { continuation.resume(returning: opened) }
            return Lease(connection: try opened.get(), wasKept: false)
        }
    }

    private static func decide(
        _ state: inout State,
        _ endpoint: ServiceEndpoint,
        _ settings: ClientTLS?
    ) -> Decision {
        var old: Connection?
        switch state.slots[endpoint] {
        case .opening: return .wait
        case .open(let connection, _) where connection.settings == settings:
            state.slots[endpoint] = .open(connection, usedAt: .now)
            return .use(connection)
        case .open(let connection, _): old = connection
        case nil: ()
        }
        state.slots[endpoint] = .opening(waiting: [])
        return .open(instead: old)
    }

    private func wait(for endpoint: ServiceEndpoint, _ continuation: CheckedContinuation<Opened, Never>) {
        let opened: Opened? = self.state.withLock { state in
            switch state.slots[endpoint] {
            case .opening(var waiting):
                waiting.append(continuation)
                state.slots[endpoint] = .opening(waiting: waiting)
                return nil
            case .open(let connection, _): return .success(connection)
            case nil: return .failure(ServiceConnectionError(message: "\(endpoint.address): no connection"))
            }
        }
        if let opened { continuation.resume(returning: opened) }
    }

    private static func settle(
        _ state: inout State,
        _ endpoint: ServiceEndpoint,
        _ opened: Opened
    ) -> [CheckedContinuation<Opened, Never>] {
        guard case .opening(let waiting) = state.slots[endpoint] else { return [] }
        switch opened {
        case .success(let connection): state.slots[endpoint] = .open(connection, usedAt: .now)
        case .failure: state.slots[endpoint] = nil
        }
        return waiting
    }

    private func open(
        _ endpoint: ServiceEndpoint,
        _ settings: ClientTLS?,
        within timeout: Duration
    ) async -> Opened {
        do {
            let configuration = HTTP2ClientTransport.WrappedChannel.Config.defaults {
                $0.http2.authority = "\(endpoint.address)"
            }
            let transport = try await HTTP2ClientTransport.WrappedChannel.wrapping(
                config: configuration
            ) { configure in
                try await self.connector.connect(to: endpoint, within: timeout) { channel, _ in configure(channel) }
            }
            let connection = Connection(client: GRPCClient(transport: transport), settings: settings)
            guard case .enqueued = self.opened.continuation.yield((endpoint, connection)) else {
                connection.retire()
                throw ServiceConnectionError(message: "\(endpoint.address): too many connections are being opened")
            }
            return .success(connection)
        } catch let error as ServiceConnectionError {
            return .failure(error)
        } catch {
            return .failure(ServiceConnectionError(message: "\(endpoint.address): \(error)"))
        }
    }

    /// The connection has ended, or is not good for another question.
    private func forget(_ connection: Connection, to endpoint: ServiceEndpoint) {
        self.state.withLock { state in
            guard case .open(let kept, _) = state.slots[endpoint], kept === connection else { return }
            state.slots[endpoint] = nil
        }
        connection.retire()
    }

    private func closeIdle() {
        let now = ContinuousClock.now
        let idle = self.state.withLock { state in
            let idle = state.slots.compactMap { endpoint, slot -> (ServiceEndpoint, Connection)? in
                guard case .open(let connection, let usedAt) = slot, now - usedAt > Self.idleLimit else { return nil }
                return (endpoint, connection)
            }
            for (endpoint, _) in idle { state.slots[endpoint] = nil }
            return idle.map(\.1)
        }
        for connection in idle { connection.retire() }
    }
}
