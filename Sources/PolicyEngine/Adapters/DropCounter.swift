/// Counts what a handler loses; the counts stand at `/metrics` under its name.
struct DropCounter: Sendable {
    private let metrics: MetricsRegistry
    private let handler: String

    init(_ context: AdapterKind.Context) {
        self.metrics = context.environment.metrics
        self.handler = context.handler
    }

    func count(_ count: Int, _ reason: MetricsRegistry.DropReason) {
        self.metrics.dropped(count, from: self.handler, reason)
    }
}
