extension AdapterKind {
    /// The adapters of the engine itself, by name.
    package static let standard: [String: AdapterKind] = Dictionary(
        uniqueKeysWithValues: [
            DenierAdapter.kind, FluentdAdapter.kind, KubernetesEnvironmentAdapter.kind, ListAdapter.kind,
            MemoryQuotaAdapter.kind, NoopAdapter.kind, PrometheusAdapter.kind, RedisQuotaAdapter.kind,
            RoleAdapter.kind, StatsdAdapter.kind, StdioAdapter.kind,
        ].map { ($0.name, $0) }
    )
}
