/// Refuses whatever it is asked, and grants no quota.
///
/// - `status` (`code`, `message`; default code 9, FAILED_PRECONDITION): the answer. A code of 0 is refused.
/// - `valid_duration` (default `5s`), `valid_use_count` (default 1000): how long clients keep it.
struct DenierAdapter: PolicyHandler {
    static let kind = AdapterKind("denier", templates: ["checknothing", "listentry", "quota"]) { settings, _ in
        let status = settings.object("status")
        let code = status?.whole("code", in: 1...16) ?? 9
        let message = status?.text("message") ?? ""
        return DenierAdapter(
            result: CheckResult(
                PolicyStatus(PolicyStatus.Code(Int32(code)), message),
                validDuration: settings.duration("valid_duration") ?? .seconds(5),
                validUseCount: Int32(settings.whole("valid_use_count", in: -1...Int64(Int32.max)) ?? 1000)
            )
        )
    }

    let result: CheckResult

    func check(_ instance: InstanceData) async throws -> CheckResult { self.result }

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        QuotaResult(self.result.status, validDuration: self.result.validDuration, amount: 0)
    }
}
