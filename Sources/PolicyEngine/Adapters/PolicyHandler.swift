internal import MeshModel

/// What a check came to, for how long and for how many requests.
package struct CheckResult: Sendable, Hashable {
    package var status: PolicyStatus
    package var validDuration: Duration
    /// 0: for this request only; negative: for any number.
    package var validUseCount: Int32
    /// What header operations find behind `NAME.output.`.
    package var output: [String: AttributeValue]
    /// What the client of a refused request is told, in place of what proxies say by themselves.
    package var response: DirectResponse?

    package init(
        _ status: PolicyStatus = .ok,
        validDuration: Duration,
        validUseCount: Int32,
        output: [String: AttributeValue] = [:],
        response: DirectResponse? = nil
    ) {
        self.status = status
        self.validDuration = validDuration
        self.validUseCount = validUseCount
        self.output = output
        self.response = response
    }

    /// For requests that nobody checks.
    package static let unchecked = CheckResult(validDuration: .seconds(60), validUseCount: 10_000)
}

/// An HTTP response that a handler words itself (`istio.policy.v1beta1.DirectHttpResponse`).
package struct DirectResponse: Sendable, Hashable {
    static let messageName = "istio.policy.v1beta1.DirectHttpResponse"

    /// 0: what the status means in HTTP.
    package var code: UInt32
    package var body: String
    package var headers: [String: String]

    package init(code: UInt32, body: String = "", headers: [String: String] = [:]) {
        self.code = code
        self.body = body
        self.headers = headers
    }

    /// The response without what proxies would not give, which is told to `report`.
    func usable(report: (_ what: String) -> Void) -> DirectResponse {
        var response = self
        if self.code != 0, !MessageChanges.statuses.contains(Int(self.code)) {
            report("\(self.code) is no status of an answer")
            response.code = 0
        }
        for (name, value) in self.headers where !HeaderChange.isSound(name: name, value: value, of: .response) {
            report("header \(AttributeValue.quoted(name)) may not be set so")
            response.headers[name] = nil
        }
        return response
    }
}

package struct QuotaRequest: Sendable, Hashable {
    package var amount: Int64
    /// Less than the amount may be granted.
    package var bestEffort: Bool
    /// Names the attempt; a repeated one is answered as before and not charged again. Empty: there is none.
    package var deduplicationID: String

    package init(amount: Int64, bestEffort: Bool = false, deduplicationID: String = "") {
        self.amount = amount
        self.bestEffort = bestEffort
        self.deduplicationID = deduplicationID
    }
}

package struct QuotaResult: Sendable, Hashable {
    package var status: PolicyStatus
    package var validDuration: Duration
    package var amount: Int64

    package init(_ status: PolicyStatus = .ok, validDuration: Duration, amount: Int64) {
        self.status = status
        self.validDuration = validDuration
        self.amount = amount
    }
}

/// Thrown by a handler that has lost a part of what was reported to it.
struct ReportLoss: Error {
    var count: Int
    var cause: any Error
}

/// An adapter with its settings: the open end of the engine.
///
/// What a handler throws is a failure of the handler itself, not its verdict; it becomes UNAVAILABLE, which clients
/// tell from a failure of the network between them and the engine.
package protocol PolicyHandler: Sendable {
    func check(_ instance: InstanceData) async throws -> CheckResult
    /// Throws if all of them are lost; `ReportLoss` if some are. What it gives up later the handler counts itself.
    func report(_ instances: [InstanceData]) async throws
    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult
    func attributes(_ instance: InstanceData) async throws -> [String: AttributeValue]
    /// How much of an instance's quota is left, without taking any; `nil`: that cannot be told.
    func left(_ instance: InstanceData) async -> PolicyTrace.QuotaLeft?
    /// What goes on beside requests, until the task is cancelled; then the handler is asked nothing any more.
    func run() async
    /// No new request will ask it; those under way may, until this returns and ``run()`` is cancelled.
    func retire() async
}

extension PolicyHandler {
    package func check(_ instance: InstanceData) async throws -> CheckResult { throw Self.unsupported(instance) }
    package func report(_ instances: [InstanceData]) async throws {
        if let instance = instances.first { throw Self.unsupported(instance) }
    }
    package func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        throw Self.unsupported(instance)
    }
    package func attributes(_ instance: InstanceData) async throws -> [String: AttributeValue] {
        throw Self.unsupported(instance)
    }
    package func left(_ instance: InstanceData) async -> PolicyTrace.QuotaLeft? { nil }
    package func run() async {}
    package func retire() async {}

    private static func unsupported(_ instance: InstanceData) -> PolicyStatus {
        PolicyStatus(.failedPrecondition, "\(Self.self) does not take \(instance.template)")
    }
}

/// Returns when the task is cancelled.
func untilCancelled() async {
    let (never, continuation) = AsyncStream<Never>.makeStream()
    for await _ in never {}
    continuation.finish()
}
