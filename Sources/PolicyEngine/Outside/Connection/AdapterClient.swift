internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Synchronization

/// Calls one adapter outside: bounded in time and number, and counted.
final class AdapterClient: Sendable {
    /// Why there is no answer. None of these is an adapter's verdict.
    struct Failure: Error, Sendable {
        enum Kind: String, Sendable {
            /// Not called at all, as too many calls are under way.
            case dropped
            case timedOut = "timed_out"
            /// There is no connection, or it broke.
            case unreachable
            /// The adapter, or what stands before it, failed the call.
            case failed
            /// The answer is no message of the kind that it should be.
            case malformed
        }

        var kind: Kind
        var status: PolicyStatus
    }

    /// Calls at once. More wait nowhere: who asks has a proxy waiting that would give up sooner.
    static let callsMax = 1024
    /// An answer holds a status and a few values.
    static let answerBytesMax = 1 << 20

    static let callsMetric = MetricsRegistry.Definition(
        name: "lateen_adapter_calls_total",
        help: "Calls of adapters outside, by handler and by how they ended.",
        kind: .counter,
        labels: ["handler", "result"]
    )
    static let lostMetric = MetricsRegistry.Definition(
        name: "lateen_adapter_instances_lost_total",
        help: "Reported instances that an adapter outside did not take.",
        kind: .counter,
        labels: ["handler"]
    )

    let connection: AdapterConnection
    private let handler: String
    private let environment: AdapterEnvironment
    private let slot = ClientSlot()
    private let calls = Mutex(0)

    /// How long files that cannot be used are left alone.
    private static let filesInterval = Duration.seconds(5)

    /// Touches nothing outside: handlers are made to be looked at, too.
    init(_ connection: AdapterConnection, handler: String, environment: AdapterEnvironment) {
        self.connection = connection
        self.handler = handler
        self.environment = environment
        environment.metrics.define(Self.callsMetric)
        environment.metrics.define(Self.lostMetric)
    }

    /// Keeps the connection until the task is cancelled. Files that cannot be used may be there, or mended, later.
    func run() async {
        while !Task.isCancelled {
            do {
                let client = GRPCClient(transport: try await self.connection.transport())
                self.slot.fill(client)
                try await client.runConnections()
            } catch {
                self.slot.fail(PolicyStatus(.unavailable, "\(error)"))
            }
            // The sleep throws when the task is cancelled, which the loop's condition sees.
            try? await Task.sleep(for: Self.filesInterval)
        }
        self.slot.fail(PolicyStatus(.unavailable, "the handler is not in use any more"))
    }

    /// Calls a method and gives back its answer as it came; `read` makes of it what is wanted, or `nil`.
    func call<Answer: Sendable>(
        _ service: String,
        _ method: String,
        _ request: [UInt8],
        read: @escaping @Sendable ([UInt8]) -> Answer?
    ) async throws(Failure) -> Answer {
        do throws(Failure) {
            try self.enter()
            defer { self.calls.withLock { $0 -= 1 } }
            let bytes = try await self.answer(service, method, request)
            guard let answer = read(bytes) else {
                throw self.failure(.malformed, "answered with something that is no answer to \(method)")
            }
            self.count("answered")
            return answer
        } catch {
            self.count(error.kind.rawValue)
            throw error
        }
    }

    private func enter() throws(Failure) {
        let isFull = self.calls.withLock { calls in
            guard calls < Self.callsMax else { return true }
            calls += 1
            return false
        }
        if isFull { throw self.failure(.dropped, "has \(Self.callsMax) calls under way") }
    }

    private func answer(_ service: String, _ method: String, _ request: [UInt8]) async throws(Failure) -> [UInt8] {
        do {
            var options = CallOptions.defaults
            options.timeout = self.connection.timeout
            options.maxResponseMessageBytes = Self.answerBytesMax
            let client = try await self.slot.client(within: self.connection.timeout)
            return try await client.unary(
                request: ClientRequest(message: request, metadata: try await self.connection.metadata()),
                descriptor: MethodDescriptor(fullyQualifiedService: service, method: method),
                serializer: BytesCoding(),
                deserializer: BytesCoding(),
                options: options
            ) { try $0.message }
        } catch let error as RPCError {
            switch error.code {
            case .deadlineExceeded:
                throw self.failure(.timedOut, "did not answer within \(DurationText.text(self.connection.timeout))")
            case .unavailable: throw self.failure(.unreachable, "cannot be reached: \(Self.words(error))")
            default: throw self.failure(.failed, "failed the call: \(error.code): \(Self.words(error))")
            }
        } catch let status as PolicyStatus {
            throw self.failure(.unreachable, "cannot be reached: \(status.message)")
        } catch {
            throw self.failure(.unreachable, "cannot be reached: \(error)")
        }
    }

    /// The error with what lies beneath, which tells more: that a connection was refused, or a certificate not trusted.
    private static func words(_ error: RPCError) -> String {
        guard let cause = error.cause else { return error.message }
        if let cause = cause as? RPCError { return "\(error.message) \(Self.words(cause))" }
        return "\(error.message) \(cause)"
    }

    func failure(_ kind: Failure.Kind, _ what: String) -> Failure {
        Failure(
            kind: kind,
            status: PolicyStatus(.unavailable, "the adapter at \(self.connection.address) \(what)")
        )
    }

    private func count(_ result: String) {
        self.environment.metrics.record(
            Self.callsMetric.name,
            1,
            labels: [self.handler, result],
            now: self.environment.now()
        )
    }

    func countLost(_ instances: Int) {
        self.environment.metrics.record(
            Self.lostMetric.name,
            Double(instances),
            labels: [self.handler],
            now: self.environment.now()
        )
    }
}

/// Messages that are encoded already.
private struct BytesCoding: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

    func deserialize<Bytes: GRPCContiguousBytes>(_ serializedMessageBytes: Bytes) throws -> [UInt8] {
        serializedMessageBytes.withUnsafeBytes { Array($0) }
    }
}
