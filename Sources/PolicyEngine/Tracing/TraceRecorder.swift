internal import Synchronization

/// Listens while a request is decided, and keeps those from being asked whom a question would move to act.
final class TraceRecorder: Sendable {
    /// Which call it was: the same instance is the same question to its handler.
    private struct Key: Hashable {
        var handler: HandlerName
        var instance: InstanceData
    }

    private let asksOutside: Bool
    private let answers = Mutex<[Key: PolicyTrace.Answer]>([:])

    /// - Parameter asksOutside: adapters that are processes of their own are asked.
    init(asksOutside: Bool) { self.asksOutside = asksOutside }

    /// Why a handler is not asked; `nil`: it is.
    func objection(to handler: PolicyConfiguration.Handler) -> String? {
        guard handler.handler is OutsideHandler, !self.asksOutside else { return nil }
        return "the adapter is a process of its own, and may act on what it is asked"
    }

    func answer(of handler: HandlerName, _ instance: InstanceData) -> PolicyTrace.Answer? {
        self.answers.withLock { $0[Key(handler: handler, instance: instance)] }
    }

    func check(
        _ instance: InstanceData,
        _ handler: PolicyConfiguration.Handler,
        _ ask: () async -> CheckResult
    ) async -> CheckResult {
        // The answer is made as if it had nothing against the request; the trace says that it lacks this one.
        if self.objection(to: handler) != nil { return .unchecked }
        let start = ContinuousClock.now
        let result = await ask()
        let answer = PolicyTrace.Answer(
            status: PolicyTrace.Status(result.status),
            validSeconds: result.validDuration / .seconds(1),
            uses: result.validUseCount,
            output: result.output.mapValues(\.description),
            microseconds: Self.microseconds(since: start)
        )
        self.answers.withLock { $0[Key(handler: handler.name, instance: instance)] = answer }
        return result
    }

    func attributes(
        _ instance: InstanceData,
        _ handler: PolicyConfiguration.Handler
    ) async throws -> [String: AttributeValue] {
        if self.objection(to: handler) != nil { return [:] }
        let start = ContinuousClock.now
        var answer = PolicyTrace.Answer(status: PolicyTrace.Status(.ok), validSeconds: 0, uses: 0, microseconds: 0)
        defer {
            answer.microseconds = Self.microseconds(since: start)
            self.answers.withLock { $0[Key(handler: handler.name, instance: instance)] = answer }
        }
        do {
            let output = try await handler.handler.attributes(instance)
            answer.output = output.mapValues(\.description)
            return output
        } catch {
            answer.status = PolicyTrace.Status(error as? PolicyStatus ?? PolicyStatus(.unavailable, "\(error)"))
            throw error
        }
    }

    private static func microseconds(since start: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
