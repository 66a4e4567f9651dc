internal import KubernetesAPI
internal import MeshModel

/// Refuses whatever it is asked, and grants no quota.
///
/// - `status` (`code`, `message`; default code 9, FAILED_PRECONDITION): the answer. A code of 0 is refused. `details` may
///   have one `DirectHttpResponse` (`code` from 200 to 599, `body`, `headers`), which is what HTTP clients get then.
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
                validUseCount: Int32(settings.whole("valid_use_count", in: -1...Int64(Int32.max)) ?? 1000),
                response: status.flatMap(Self.response)
            )
        )
    }

    private static func response(_ status: SettingsReader) -> DirectResponse? {
        let details = status.objects("details")
        if details.count > 1 { status.complain("details", "has more than one element") }
        guard let detail = details.first else { return nil }
        let type = detail.text("@type")
        if type?.hasSuffix(DirectResponse.messageName) != true {
            detail.complain("@type", "is not type.googleapis.com/\(DirectResponse.messageName)")
        }
        let statuses = MessageChanges.statuses
        let code = detail.whole("code", in: Int64(statuses.lowerBound)...Int64(statuses.upperBound))
        if code == nil, detail.value("code") == nil { detail.complain("code", "is missing: a number from 200 to 599") }
        var headers: [String: String] = [:]
        for (name, value) in detail.members("headers") {
            guard let text = value.string, HeaderChange.isSound(name: name, value: text, of: .response) else {
                detail.complain("headers.\(name)", "is no header that may be set")
                continue
            }
            headers[name] = text
        }
        return DirectResponse(code: UInt32(code ?? 403), body: detail.text("body") ?? "", headers: headers)
    }

    let result: CheckResult

    func check(_ instance: InstanceData) async throws -> CheckResult { self.result }

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        QuotaResult(self.result.status, validDuration: self.result.validDuration, amount: 0)
    }
}
