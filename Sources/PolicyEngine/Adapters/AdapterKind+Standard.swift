extension AdapterKind {
    /// The adapters of the engine itself, by name.
    package static let standard: [String: AdapterKind] = Dictionary(
        uniqueKeysWithValues: [
            DenierAdapter.kind, ListAdapter.kind, MemoryQuotaAdapter.kind, NoopAdapter.kind, PrometheusAdapter.kind,
            StdioAdapter.kind, KubernetesEnvironmentAdapter.kind,
        ].map { ($0.name, $0) }
    )
}
