/// Takes everything and does nothing: for trying rules out.
struct NoopAdapter: PolicyHandler {
    static let kind = AdapterKind("noop", templates: Set(TemplateSchema.standard.keys)) { _, _ in NoopAdapter() }

    func check(_ instance: InstanceData) async throws -> CheckResult {
        CheckResult(validDuration: .seconds(1_000_000_000), validUseCount: 1_000_000_000)
    }

    func report(_ instances: [InstanceData]) async throws {}

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        QuotaResult(validDuration: .seconds(1_000_000_000), amount: request.amount)
    }

    func attributes(_ instance: InstanceData) async throws -> [String: AttributeValue] { [:] }
}
